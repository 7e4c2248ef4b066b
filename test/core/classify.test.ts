/** Rows 1 to 12 and 24 of the table in docs/reconciliation.md: one path by itself. Every row holds mirrored too. */

import { describe, expect, test } from "vitest"
import { classify, holds, type Sights, type Verdict } from "../../src/reconcile/classify.ts"
import type { Sight } from "../../src/reconcile/sight.ts"
import type { Unknown, Version } from "../../src/model/entry.ts"
import { baseOf, contentOf, fileAt, hashOf, named, NOW_MS, unknownAt, versionOf } from "./world.ts"

const ABSENT: Sight = { kind: "absent" }
const x = file("x")
const y = file("y")
const z = file("z")
const UNKNOWN: Sight = { kind: "unknown", why: unknownAt("p") }
const X = baseOf("x")
const X_HINT = baseOf("x", { isHint: true })

function file(content: string, mtimeMs = NOW_MS): Sight {
  return { kind: "file", version: versionOf(fileAt(content, { mtimeMs })) }
}

/** A verdict in a few words, by sides. */
function text(verdict: Verdict): string {
  switch (verdict.kind) {
    case "nothing":
    case "forget":
      return verdict.kind
    case "agree":
      return `agree ${contentOf(verdict.version)}`
    case "skip":
      return `skip ${verdict.side}`
    case "delete":
      return `delete ${verdict.targetSide} (${verdict.reason})`
    case "conflict":
      return `conflict ${verdict.reason}${verdict.earlier === undefined ? "" : ` earlier ${verdict.earlier}`}`
    case "copy": {
      const over = verdict.replaced === undefined ? "" : ` over ${contentOf(verdict.replaced)}`
      return `copy ${verdict.targetSide} ${contentOf(verdict.version)}${over} (${verdict.reason})${verdict.isKept ? " kept" : ""}`
    }
  }
}

function mirror(told: string): string {
  return told.replace(/local|remote/g, (side) => (side === "local" ? "remote" : "local"))
}

interface Row extends Partial<Sights> {
  readonly rule: string
  readonly verdict: string
}

const rows: readonly Row[] = [
  { rule: "1: does nothing when all three are equal", base: X, local: x, remote: x, verdict: "nothing" },
  { rule: "2: skips what one side cannot see", base: X, local: UNKNOWN, remote: y, verdict: "skip local" },
  {
    rule: "2: skips what one side cannot see and the other lost",
    base: X,
    local: UNKNOWN,
    verdict: "skip local",
  },
  {
    rule: "2: skips what one side cannot see and no base knows",
    local: UNKNOWN,
    remote: y,
    verdict: "skip local",
  },
  { rule: "3: agrees on an equal edit", base: X, local: y, remote: y, verdict: "agree y" },
  { rule: "3: agrees on equal new files", local: y, remote: y, verdict: "agree y" },
  { rule: "3: forgets what both deleted", base: X, verdict: "forget" },
  { rule: "3: does nothing where nothing is and was", verdict: "nothing" },
  {
    rule: "4, 5: copies an edit over what did not change",
    base: X,
    local: x,
    remote: y,
    verdict: "copy local y over x (remote_changed)",
  },
  {
    rule: "6, 7: deletes what did not change and a user removed there",
    base: X,
    local: x,
    verdict: "delete local (remote_deleted)",
  },
  {
    rule: "8, 9: keeps an edit over a deletion, and says so",
    base: X,
    remote: y,
    verdict: "copy local y (changed_vs_deleted) kept",
  },
  { rule: "10, 11: copies what is new", remote: y, verdict: "copy local y (remote_new)" },
  {
    rule: "12: finds a conflict of two edits",
    base: X,
    local: y,
    remote: z,
    verdict: "conflict both_changed",
  },
  { rule: "12: finds a conflict of two new files", local: y, remote: z, verdict: "conflict both_new" },
  {
    rule: "24: does nothing when only times differ",
    base: X,
    local: file("x", NOW_MS + 60_000),
    remote: file("x", 0),
    verdict: "nothing",
  },
  {
    rule: "24: takes an edit whose time did not move",
    base: X,
    local: x,
    remote: file("y", NOW_MS),
    verdict: "copy local y over x (remote_changed)",
  },
  {
    rule: "union: copies what is on one side, though a hint knows it",
    base: X_HINT,
    local: x,
    verdict: "copy remote x (local_new)",
  },
  {
    rule: "union: copies a one-sided edit of what a hint knows",
    base: X_HINT,
    local: y,
    verdict: "copy remote y (local_new)",
  },
  {
    rule: "union: agrees again on what both still hold",
    base: X_HINT,
    local: x,
    remote: x,
    verdict: "agree x",
  },
  { rule: "union: forgets a hint that both lost", base: X_HINT, verdict: "forget" },
  {
    rule: "union: lets the hinted version lose to another",
    base: X_HINT,
    local: x,
    remote: y,
    verdict: "conflict both_changed earlier local",
  },
  {
    rule: "union: finds a conflict where neither is the hinted version",
    base: X_HINT,
    local: y,
    remote: z,
    verdict: "conflict both_changed",
  },
  {
    rule: "union: lets an earlier agreed version lose to another",
    earlierHashes: new Set([hashOf("y")]),
    local: y,
    remote: z,
    verdict: "conflict both_new earlier local",
  },
  {
    rule: "union: lets the older of two agreed versions lose to the newest",
    base: X_HINT,
    earlierHashes: new Set([hashOf("y")]),
    local: x,
    remote: y,
    verdict: "conflict both_changed earlier remote",
  },
  {
    rule: "union: finds a conflict of two versions that were both replaced since",
    base: X_HINT,
    earlierHashes: new Set([hashOf("y"), hashOf("z")]),
    local: z,
    remote: y,
    verdict: "conflict both_changed",
  },
  {
    rule: "asks no earlier version where the base is sure",
    base: X,
    earlierHashes: new Set([hashOf("y")]),
    local: y,
    remote: z,
    verdict: "conflict both_changed",
  },
]

describe("one path by itself", () => {
  test.each(named(rows))("%s", (_, { base, local = ABSENT, remote = ABSENT, earlierHashes, verdict }) => {
    const earlier = earlierHashes === undefined ? {} : { earlierHashes }
    expect(text(classify({ base, local, remote, ...earlier }))).toBe(verdict)
    expect(text(classify({ base, local: remote, remote: local, ...earlier }))).toBe(mirror(verdict))
  })

  test("names the local side where neither can see", () => {
    const why: Unknown = unknownAt("p", "path", "unstable")
    const local: Sight = { kind: "unknown", why }
    expect(classify({ base: X, local, remote: UNKNOWN })).toEqual({
      kind: "skip",
      side: "local",
      sight: local,
    })
  })
})

describe("content whose hash nobody read", () => {
  const { hash: _, ...unread } = versionOf(fileAt("longer"))
  const UNREAD: Sight = { kind: "file", version: unread }

  test.each(
    named<Row>([
      {
        rule: "is an edit when its size is another",
        base: X,
        local: x,
        verdict: "copy local longer over x (remote_changed)",
      },
      {
        rule: "is a conflict when the other side changed too",
        base: X,
        local: y,
        verdict: "conflict both_changed",
      },
      { rule: "is new where nothing was", verdict: "copy local longer (remote_new)" },
      { rule: "survives a deletion", base: X, verdict: "copy local longer (changed_vs_deleted) kept" },
      { rule: "is copied in a union", base: X_HINT, verdict: "copy local longer (remote_new)" },
    ]),
  )("%s", (_, { base, local = ABSENT, verdict }) => {
    expect(text(classify({ base, local, remote: UNREAD }))).toBe(verdict)
  })

  test("must have been read before it is compared with its equal in size", () => {
    const { hash: _, ...same }: Version = versionOf(fileAt("x"))
    expect(() => holds(same, X)).toThrow("read before it is compared")
    expect(() => classify({ base: X, local: x, remote: { kind: "file", version: same } })).toThrow(
      "read before",
    )
  })
})
