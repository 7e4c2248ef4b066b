/** Folding: what each event does to the state, and what no event does. */

import { describe, expect, test } from "vitest"
import { emptyState, fold } from "../../src/fold/fold.ts"
import type { Agreement, State } from "../../src/model/state.ts"
import type { EventBody, EventType, JournalEvent, RunCounts, StepResult } from "../../src/model/event.ts"
import type { ConflictId, DeviceId, GitOid, OpId, PlanId, RunId } from "../../src/model/ids.ts"
import type { Side } from "../../src/model/side.ts"
import { fileAt, hashOf, named, NOW_MS, path, versionOf } from "./world.ts"

const P = path("p")
const Q = path("q")
const x = versionOf(fileAt("x"))
const y = versionOf(fileAt("y"))
const RUN = "r1" as RunId
const OP = "0a" as OpId
const CONFLICT = "c1" as ConflictId

const COUNTS: RunCounts = {
  uploaded: 0,
  downloaded: 0,
  deletedLocal: 0,
  deletedRemote: 0,
  moved: 0,
  merged: 0,
  restored: 0,
  skipped: 0,
  bytesUp: 0,
  bytesDown: 0,
}

function eventsOf(bodies: readonly EventBody[], from = 0): readonly JournalEvent[] {
  return bodies.map((body, index) => ({
    ...body,
    seq: from + index + 1,
    at: "2026-01-01T00:00:00.000Z",
    run: RUN,
    prev: hashOf("prev"),
  }))
}

function folded(...bodies: readonly EventBody[]): State {
  return fold(emptyState, eventsOf(bodies))
}

const seen = (side: Side, version = x, at = P): EventBody => ({ type: "observed", side, path: at, version })
const gone = (side: Side, at = P): EventBody => ({ type: "gone", side, path: at })
const agreed: EventBody = { type: "agreed", items: [{ path: P, version: x }] }
const forgot: EventBody = { type: "agreed", items: [{ path: P }] }
const union = (scope: "all" | readonly (typeof P)[]): EventBody => ({
  type: "union.started",
  reason: "resync",
  scope,
})
const ACTION = {
  op: "upload",
  change: "update",
  direction: "up",
  reason: "local_changed",
  path: P,
  sizeBytes: 1,
} as const
const intent: EventBody = { type: "intent", number: 1, steps: [], marks: [], after: [], action: ACTION }
const failed: EventBody = { type: "failed", number: 1, path: P, code: "io" }

function done(results: readonly StepResult[], after: readonly Agreement[], ofIntent = 1): EventBody {
  return {
    type: "done",
    number: 1,
    intent: ofIntent,
    ...ACTION,
    results,
    after,
  }
}

function listed(
  side: Side,
  more: { readonly complete?: boolean; readonly settles?: string; readonly digest?: string } = {},
): EventBody {
  const { complete = true, digest = side, settles } = more
  const event = {
    type: "side.listed",
    side,
    complete,
    count: 1,
    digest,
    sampledMs: NOW_MS,
    mounts: [],
  } as const
  return settles === undefined ? event : { ...event, settles }
}

const X_BASE = { hash: hashOf("x"), sizeBytes: 1, mtimeMs: NOW_MS, run: RUN, isHint: false }
const content = (text: string) => ({ hash: hashOf(text), sizeBytes: text.length, mtimeMs: NOW_MS })

describe("a path", () => {
  test.each(
    named<{ readonly rule: string; readonly events: readonly EventBody[]; readonly state: unknown }>([
      {
        rule: "shows what was last observed on each side",
        events: [seen("local"), seen("remote", y), seen("local", y)],
        state: { local: y, remote: y },
      },
      {
        rule: "keeps the other side when one is gone",
        events: [seen("local"), seen("remote", y), gone("local")],
        state: { remote: y },
      },
      {
        rule: "is dropped when nothing is left of it",
        events: [seen("local"), gone("local")],
        state: undefined,
      },
      {
        rule: "keeps its base when both sides are gone",
        events: [seen("local"), agreed, gone("local")],
        state: { base: { ...X_BASE, sequence: 2, fileId: "id-x" } },
      },
      {
        rule: "gets a base when sides agree, with the file id that is there",
        events: [seen("local"), seen("remote"), agreed],
        state: { local: x, remote: x, base: { ...X_BASE, sequence: 3, fileId: "id-x" } },
      },
      {
        rule: "gets a base without a file id where local shows nothing",
        events: [agreed],
        state: { base: { ...X_BASE, sequence: 1 } },
      },
      {
        rule: "loses its base when it is forgotten",
        events: [seen("remote"), agreed, forgot],
        state: { remote: x },
      },
      {
        rule: "keeps its base when it is observed anew",
        events: [agreed, seen("local", y)],
        state: { local: y, base: { ...X_BASE, sequence: 1 } },
      },
      {
        rule: "keeps its base when an action failed",
        events: [agreed, intent, failed],
        state: { base: { ...X_BASE, sequence: 1 } },
      },
      {
        rule: "shows what a step left, and moves its base",
        events: [
          seen("local", y),
          agreed,
          done([{ op: OP, side: "remote", path: P, version: y }], [{ path: P, content: content("y") }]),
        ],
        state: { local: y, remote: y, base: { ...X_BASE, hash: hashOf("y"), sequence: 3, fileId: "id-y" } },
      },
      {
        rule: "is dropped when its delete is done",
        events: [seen("remote"), agreed, done([{ op: OP, side: "remote", path: P }], [{ path: P }])],
        state: undefined,
      },
      {
        rule: "has a hint for a base once a union began",
        events: [agreed, union("all")],
        state: { base: { ...X_BASE, sequence: 1, isHint: true } },
      },
      {
        rule: "has a hint for a base once a union of it began",
        events: [agreed, union([P])],
        state: { base: { ...X_BASE, sequence: 1, isHint: true } },
      },
      {
        rule: "keeps its base in a union of another path",
        events: [agreed, union([Q])],
        state: { base: { ...X_BASE, sequence: 1 } },
      },
      {
        rule: "has a sure base again when it is agreed after a union began",
        events: [agreed, union("all"), agreed],
        state: { base: { ...X_BASE, sequence: 3 } },
      },
      {
        rule: "has a sure base again when an action is done after a union began",
        events: [agreed, union("all"), done([], [{ path: P, content: content("x") }])],
        state: { base: { ...X_BASE, sequence: 3 } },
      },
      {
        rule: "keeps its hint when it is only observed after a union began",
        events: [agreed, union("all"), seen("local"), seen("remote")],
        state: { local: x, remote: x, base: { ...X_BASE, sequence: 1, isHint: true } },
      },
    ]),
  )("%s", (_, { events, state }) => {
    expect(folded(...events).paths.get(P)).toEqual(state)
  })

  test("gets no entry from a union of a path that nobody knows", () => {
    expect(folded(union([P])).paths.size).toBe(0)
  })

  test("moves with its base under a new name", () => {
    const moved = done(
      [
        { op: OP, side: "remote", path: P },
        { op: OP, side: "remote", path: Q, version: x },
      ],
      [{ path: P }, { path: Q, content: content("x") }],
    )
    const { paths } = folded(seen("remote"), agreed, seen("local", x, Q), moved)
    expect([...paths]).toEqual([
      [Q, { local: x, remote: x, base: { ...X_BASE, sequence: 4, fileId: "id-x" } }],
    ])
  })
})

describe("an intent", () => {
  test("is open until it is done", () => {
    expect(folded(intent).intents.get(1)).toEqual({
      sequence: 1,
      run: RUN,
      number: 1,
      steps: [],
      marks: [],
      after: [],
      action: ACTION,
    })
    expect(folded(intent, done([], [])).intents.size).toBe(0)
  })

  test("is open until it failed", () => {
    expect(folded(intent, { ...failed, intent: 1 } as EventBody).intents.size).toBe(0)
    expect(folded(intent, failed).intents.size).toBe(1)
  })

  test("stays open when another one is done", () => {
    expect([...folded(intent, intent, done([], [], 2)).intents.keys()]).toEqual([1])
  })
})

describe("an aside", () => {
  const aside = { token: "t", atMs: NOW_MS }
  const put = done([{ op: OP, side: "local", path: P, version: y, aside }], [])

  test("waits until it is dropped", () => {
    expect(folded(put).asides.get(OP)).toEqual({ op: OP, side: "local", path: P, ...aside })
    expect(folded(put, { type: "aside.dropped", op: OP }).asides.size).toBe(0)
  })

  test("stands at its own path where that is another", () => {
    const elsewhere = done([{ op: OP, side: "local", path: P, aside: { ...aside, path: Q } }], [])
    expect(folded(elsewhere).asides.get(OP)?.path).toBe(Q)
  })
})

describe("a conflict", () => {
  const decision = { id: CONFLICT, rule: "none", apartMs: 0, tieMs: 0 } as const
  const decided = (copies: object): EventBody => ({
    type: "conflict.decided",
    conflict: CONFLICT,
    path: P,
    number: 1,
    decision: { ...decision, ...copies },
  })

  test("is open while its copies wait for the user", () => {
    const open = decided({ copies: { local: path("p.conflict1"), remote: path("p.conflict2") } })
    expect(folded(open).openConflicts.get(CONFLICT)).toEqual({
      id: CONFLICT,
      path: P,
      copies: ["p.conflict1", "p.conflict2"],
    })
    expect(
      folded(open, { type: "conflict.resolved", conflict: CONFLICT, how: "by_hand" }).openConflicts.size,
    ).toBe(0)
  })

  test("is not open where one version won", () => {
    expect(folded(decided({ winner: "local" })).openConflicts.size).toBe(0)
  })
})

describe("the whole", () => {
  const settled = [listed("local"), listed("remote", { settles: "s" })]

  test("remembers complete listings only", () => {
    const { listed: found } = folded(listed("local"), listed("remote", { complete: false })).root
    expect(found).toEqual({ local: { digest: "local", count: 1, sampledMs: NOW_MS, mounts: [] } })
  })

  test("is settled by a pair of listings that needed nothing", () => {
    expect(folded(...settled).root.settled).toEqual({ local: "local", remote: "remote", settings: "s" })
    expect(folded(listed("remote", { settles: "s" })).root.settled).toBeUndefined()
  })

  test.each(
    named<{ readonly rule: string; readonly event: EventBody }>([
      { rule: "something is observed", event: seen("local") },
      { rule: "something is gone", event: gone("remote") },
      { rule: "a union begins", event: union("all") },
      { rule: "a union of paths begins", event: union([]) },
      { rule: "a step is done", event: done([{ op: OP, side: "remote", path: P, version: x }], []) },
    ]),
  )("is no longer settled once %s", (_, { event }) => {
    expect(folded(...settled, event).root.settled).toBeUndefined()
  })

  test("knows the run that did not finish, and the last that did", () => {
    const started: EventBody = {
      type: "run.started",
      kind: "bisync",
      command: "",
      profile: "safe",
      conflictResolve: "none",
      nonce: "n",
    }
    const finished: EventBody = { type: "run.finished", counts: COUNTS, exit: 0, conflicts: [], open: [] }
    expect(folded(started).root).toMatchObject({ unfinishedRun: RUN })
    const { root } = folded(started, finished)
    expect(root.lastRun).toBe(RUN)
    expect(root).not.toHaveProperty("unfinishedRun")
  })

  test("knows device, marker, epoch, history and an open undo", () => {
    const chain = [{ counter: 1, nonce: "n", device: "d1" as DeviceId }]
    const target = { kind: "run", run: RUN } as const
    const bodies: readonly EventBody[] = [
      { type: "journal.created", device: "d1" as DeviceId, deviceName: "one", root: "", epoch: "e" },
      { type: "device.renamed", device: "d1" as DeviceId, deviceName: "two", why: "user" },
      { type: "marker.written", root: "m", sequence: 1, nonce: "n" },
      { type: "epoch.read", id: "e", chain },
      { type: "history.recorded", upTo: 3, commit: "c" as GitOid },
      { type: "undo.decided", target, mode: "undo", steps: [] },
    ]
    const { root } = folded(...bodies)
    expect(root).toMatchObject({
      sequence: 6,
      device: { id: "d1", name: "two" },
      marker: { root: "m", sequence: 1, nonce: "n" },
      epoch: { id: "e", chain },
      recordedSequence: 3,
      openUndo: { run: RUN, sequence: 6 },
    })
    expect(folded(...bodies, { type: "undone", target, mode: "undo" }).root).not.toHaveProperty("openUndo")
  })

  test.each<[EventType, EventBody]>([
    ["planned", { type: "planned", plan: "p1" as PlanId, digest: hashOf("d"), actions: 1 }],
    ["skipped", { type: "skipped", number: 1, path: P, code: "changed_since" }],
    ["history.kept", { type: "history.kept", items: [] }],
    ["failed", failed],
  ])("is moved by `%s` only in its sequence", (_, event) => {
    const before = folded(seen("local"), agreed, ...settled)
    const after = fold(before, eventsOf([event], 4))
    expect(after).toEqual({ ...before, root: { ...before.root, sequence: 5 } })
  })
})

describe("folding", () => {
  const bodies: readonly EventBody[] = [
    seen("local"),
    seen("remote"),
    agreed,
    union("all"),
    seen("local", y),
    intent,
    done(
      [{ op: OP, side: "remote", path: P, version: y, aside: { token: "t", atMs: 1 } }],
      [{ path: P, content: content("y") }],
      6,
    ),
    gone("local"),
    forgot,
  ]

  test("is the same at once and piece by piece, wherever it is cut", () => {
    const whole = fold(emptyState, eventsOf(bodies))
    for (let cut = 0; cut <= bodies.length; cut++) {
      const first = fold(emptyState, eventsOf(bodies.slice(0, cut)))
      expect(fold(first, eventsOf(bodies.slice(cut), cut))).toEqual(whole)
    }
  })

  test("leaves the state that it was given as it was", () => {
    const before = folded(...bodies.slice(0, 3))
    const copy = structuredClone(before)
    fold(before, eventsOf(bodies.slice(3), 3))
    expect(before).toEqual(copy)
    expect(emptyState.paths.size).toBe(0)
  })

  test("of no events is nothing", () => {
    expect(fold(emptyState, [])).toEqual(emptyState)
  })
})
