/** Rows 2, 12, 21 to 24 and the unions: what several paths, times, names and unknown places add to each path's verdict. */

import { describe, expect, test } from "vitest"
import { conflictName, type RelativePath, utf8Length } from "../../src/model/path.ts"
import { decide } from "../../src/reconcile/policy.ts"
import { expectRow, later, mirroredRow, type Row, told } from "./row.ts"
import {
  fileAt,
  folderOf,
  hashOf,
  named,
  path,
  planOf,
  stateOf,
  treesOf,
  unknownAt,
  versionOf,
} from "./world.ts"

const NEWER = { conflictResolve: "newer" } as const
const NO_MOVES = { canMove: { local: false, remote: false } } as const

describe("a conflict", () => {
  const both =
    "conflict: move local p to p.conflict1; move remote p to p.conflict2; write remote p.conflict1 y; write local p.conflict2 z"
  test.each(
    named<Row>([
      {
        rule: "keeps both under new names where nothing is to win",
        base: { p: "x" },
        local: { p: later("y", 9000) },
        remote: { p: "z" },
        plan: [both],
      },
      {
        rule: "keeps both where two devices created the path",
        local: { p: "y" },
        remote: { p: "z" },
        plan: [both],
      },
      {
        rule: "lets the newer version keep the path",
        base: { p: "x" },
        local: { p: later("y", 2001) },
        remote: { p: "z" },
        settings: NEWER,
        plan: ["conflict: write remote p y over z"],
      },
      {
        rule: "lets the newer version there keep the path",
        base: { p: "x" },
        local: { p: "y" },
        remote: { p: later("z", 2001) },
        settings: NEWER,
        plan: ["conflict: write local p z over y"],
      },
      {
        rule: "is a tie at exactly 2000 ms, and both are kept",
        base: { p: "x" },
        local: { p: later("y", 2000) },
        remote: { p: "z" },
        settings: NEWER,
        plan: [both],
      },
      {
        rule: "is a tie at exactly 2000 ms the other way",
        base: { p: "x" },
        local: { p: "y" },
        remote: { p: later("z", 2000) },
        settings: NEWER,
        plan: [both],
      },
      {
        rule: "is a tie within the skew of a clock that recorded none",
        local: { p: later("y", 12_000) },
        remote: { p: "z" },
        settings: { ...NEWER, skewUnknownMs: 10_000 },
        plan: [both],
      },
      {
        rule: "is decided beyond the skew of a clock that recorded none",
        local: { p: later("y", 12_001) },
        remote: { p: "z" },
        settings: { ...NEWER, skewUnknownMs: 10_000 },
        plan: ["conflict: write remote p y over z"],
      },
      {
        rule: "takes the next pair where one name of a pair is taken here",
        base: { "p.conflict2": "c" },
        local: { p: "y", "p.conflict2": "c" },
        remote: { p: "z", "p.conflict2": "c" },
        plan: [
          "conflict: move local p to p.conflict3; move remote p to p.conflict4; write remote p.conflict3 y; write local p.conflict4 z",
        ],
      },
      {
        rule: "takes the next pair where a name is taken on one side only",
        local: { p: "y" },
        remote: { p: "z", "p.conflict1": "c" },
        plan: [
          "conflict: move local p to p.conflict3; move remote p to p.conflict4; write remote p.conflict3 y; write local p.conflict4 z",
          "download: write local p.conflict1 c",
        ],
      },
      {
        rule: "takes the next pair where a name is a directory",
        local: { p: "y", "p.conflict1/x": "c" },
        remote: { p: "z", "p.conflict1/x": "c" },
        agreed: ["p.conflict1/x"],
        plan: [
          "conflict: move local p to p.conflict3; move remote p to p.conflict4; write remote p.conflict3 y; write local p.conflict4 z",
        ],
      },
      {
        rule: "takes the next pair where a name is unknown",
        local: { p: "y" },
        remote: { p: "z" },
        unknowns: { local: [unknownAt("p.conflict2", "subtree", "symlink")] },
        plan: [
          "conflict: move local p to p.conflict3; move remote p to p.conflict4; write remote p.conflict3 y; write local p.conflict4 z",
        ],
      },
      {
        rule: "takes the next pair where a deleted name still has a base",
        base: { "p.conflict1": "c" },
        local: { p: "y", "p.conflict1": "c" },
        remote: { p: "z" },
        plan: [
          "conflict: move local p to p.conflict3; move remote p to p.conflict4; write remote p.conflict3 y; write local p.conflict4 z",
          "delete: remove local p.conflict1 c",
        ],
      },
      {
        rule: "takes the next pair where a name was forgotten only now",
        base: { "p.conflict2": "c" },
        local: { p: "y" },
        remote: { p: "z" },
        agreed: ["forget p.conflict2"],
        plan: [
          "conflict: move local p to p.conflict3; move remote p to p.conflict4; write remote p.conflict3 y; write local p.conflict4 z",
        ],
      },
      {
        rule: "finds names in a directory that has an unreadable one",
        local: { "d/p": "y" },
        remote: { "d/p": "z" },
        unknowns: { local: [unknownAt("d", "absent_children")] },
        plan: [
          "conflict: move local d/p to d/p.conflict1; move remote d/p to d/p.conflict2; write remote d/p.conflict1 y; write local d/p.conflict2 z",
        ],
      },
      {
        rule: "of a path and of its conflict name takes no name twice",
        local: { "p.conflict1": "y", p: "y" },
        remote: { "p.conflict1": "z", p: "z" },
        plan: [
          "conflict: move local p to p.conflict3; move remote p to p.conflict4; write remote p.conflict3 y; write local p.conflict4 z",
          "conflict: move local p.conflict1 to p.conflict2; write remote p.conflict2 y; write local p.conflict1 z",
        ],
      },
    ]),
  )("%s", expectRow)

  test.each(
    named<Row>([
      {
        rule: "takes the next number, and no tail",
        local: { "p.conflict1": "y" },
        remote: { "p.conflict1": "z" },
        plan: [
          "conflict: move local p.conflict1 to p.conflict2; write remote p.conflict2 y; write local p.conflict1 z",
        ],
      },
      {
        rule: "takes the next number that is free",
        local: { "p.conflict1": "y", "p.conflict2": "c" },
        remote: { "p.conflict1": "z", "p.conflict2": "c" },
        agreed: ["p.conflict2"],
        plan: [
          "conflict: move local p.conflict1 to p.conflict3; write remote p.conflict3 y; write local p.conflict1 z",
        ],
      },
      {
        rule: "keeps both in every profile, for both were promised to stay",
        local: { "p.conflict1": later("y", 60_000) },
        remote: { "p.conflict1": "z" },
        settings: NEWER,
        plan: [
          "conflict: move local p.conflict1 to p.conflict2; write remote p.conflict2 y; write local p.conflict1 z",
        ],
      },
      {
        rule: "is decided like any file where both sides agreed on it and then edited it",
        base: { "p.conflict1": "x" },
        local: { "p.conflict1": later("y", 60_000) },
        remote: { "p.conflict1": "z" },
        settings: NEWER,
        plan: ["conflict: write remote p.conflict1 y over z"],
      },
    ]),
  )("of two devices on a conflict name %s", expectRow)

  test.each(
    named([
      { rule: "of both uploaders", local: 500, remote: 700, tieMs: 3200 },
      { rule: "that goes either way", local: -500, remote: -700, tieMs: 3200 },
      { rule: "of none on a folder", local: undefined, remote: undefined, tieMs: 2000 + 10_000 },
      { rule: "of zero, where a clock was right", local: 0, remote: 0, tieMs: 2000 },
    ]),
  )("widens the tie by the recorded skew %s", (_, { local, remote, tieMs }) => {
    const y = versionOf(later("y", tieMs))
    const z = versionOf(fileAt("z"))
    const options = { resolve: "newer", skewUnknownMs: 10_000 } as const
    const rivals = {
      local: { ...y, ...(local !== undefined && { skewMs: local }) },
      remote: { ...z, ...(remote !== undefined && { skewMs: remote }) },
    }
    expect(decide(rivals, options)).toEqual({ rule: "none", isTie: true, apartMs: tieMs, tieMs })
    const beyond = { ...rivals, local: { ...rivals.local, mtimeMs: y.mtimeMs + 1 } }
    expect(decide(beyond, options)).toMatchObject({ rule: "newer", winner: "local", loser: "remote", tieMs })
  })
})

describe("a conflict name", () => {
  test.each(
    named([
      { rule: "is the name and a number", name: "a.md", expected: "a.md.conflict1" },
      { rule: "fits 255 bytes as it is", name: "a".repeat(245), expected: `${"a".repeat(245)}.conflict1` },
      {
        rule: "cuts a stem that is one byte too long",
        name: "a".repeat(246),
        expected: `${"a".repeat(245)}.conflict1`,
      },
      {
        rule: "cuts at a code point of two bytes",
        name: "é".repeat(127),
        expected: `${"é".repeat(122)}.conflict1`,
      },
      {
        rule: "cuts at a code point of four bytes",
        name: "😀".repeat(63),
        expected: `${"😀".repeat(61)}.conflict1`,
      },
      { rule: "stays in its directory", name: "d/e/a.md", expected: "d/e/a.md.conflict1" },
    ]),
  )("%s", (_, { name, expected }) => {
    expect(conflictName(path(name), 1)).toBe(expected)
  })

  test("cuts the stem where the whole path would be too long for a key", () => {
    const long = path(
      `${"d".repeat(200)}/${"e".repeat(200)}/${"f".repeat(200)}/${"g".repeat(200)}/${"h".repeat(218)}`,
    )
    const name = conflictName(long, 1)
    expect(utf8Length(long)).toBe(1022)
    expect(utf8Length(name)).toBe(1024)
    expect(name.endsWith("h.conflict1")).toBe(true)
  })

  test("goes to a directory above where its own leaves no room", () => {
    const directory = ["d", "e", "f", "g", "h"].map((letter) => letter.repeat(203)).join("/")
    const name = conflictName(path(`${directory}/ab`), 1)
    expect(utf8Length(directory)).toBe(1019)
    expect(name).toBe(`${directory.slice(0, directory.lastIndexOf("/"))}/ab.conflict1`)
  })

  test("is found for two paths that are cut to the same stem", () => {
    const [one, two] = [`${"a".repeat(250)}1`, `${"a".repeat(250)}2`]
    const { plan } = told({
      rule: "",
      local: { [one]: "y", [two]: "y" },
      remote: { [one]: "z", [two]: "z" },
      plan: [],
    })
    const stem = "a".repeat(245)
    expect(plan.map((line) => line.match(/conflict\d/g)?.join(" "))).toEqual([
      "conflict1 conflict2 conflict1 conflict2",
      "conflict3 conflict4 conflict3 conflict4",
    ])
    expect(plan[1]).toContain(`${stem}.conflict3`)
  })
})

describe("a union", () => {
  const earlierHashes = new Map([[path("p"), new Set([hashOf("old")])]])
  const rows: readonly Row[] = [
    {
      rule: "deletes nothing that is gone on one side",
      base: { p: "x" },
      local: { p: "x" },
      isHint: true,
      plan: ["upload: write remote p x"],
    },
    {
      rule: "agrees on what is equal",
      base: { p: "x" },
      local: { p: "x" },
      remote: { p: "x" },
      isHint: true,
      plan: [],
      agreed: ["p"],
    },
    { rule: "forgets what both lost", base: { p: "x" }, isHint: true, plan: [], agreed: ["forget p"] },
    {
      rule: "lets the hinted version lose, in every profile and however new it is",
      base: { p: "x" },
      local: { p: later("x", 60_000) },
      remote: { p: "y" },
      isHint: true,
      settings: NEWER,
      plan: ["conflict: write local p y over x"],
    },
    {
      rule: "lets the hinted version lose where else both are kept",
      base: { p: "x" },
      local: { p: "x" },
      remote: { p: "y" },
      isHint: true,
      plan: ["conflict: write local p y over x"],
    },
    {
      rule: "lets an earlier agreed version lose",
      local: { p: "old" },
      remote: { p: "y" },
      settings: { earlierHashes },
      plan: ["conflict: write local p y over old"],
    },
    {
      rule: "keeps both where neither was agreed on",
      base: { p: "x" },
      local: { p: "y" },
      remote: { p: "z" },
      isHint: true,
      settings: { earlierHashes },
      plan: [
        "conflict: move local p to p.conflict1; move remote p to p.conflict2; write remote p.conflict1 y; write local p.conflict2 z",
      ],
    },
    {
      rule: "makes no rename out of what a hint knows",
      base: { p: "x" },
      local: { q: "x" },
      remote: { p: "x" },
      isHint: true,
      plan: ["download: write local p x", "upload: write remote q x"],
    },
  ]
  test.each(named(rows))("%s", expectRow)
  test.each(named(rows.slice(0, 6).map(mirroredRow)))("mirrored, %s", expectRow)
})

describe("what is unknown", () => {
  const rows: readonly Row[] = [
    {
      rule: "2: is neither deleted nor copied",
      base: { p: "x", q: "x" },
      local: { p: "x" },
      remote: { q: "y" },
      unknowns: { remote: [unknownAt("p"), unknownAt("q")] },
      plan: [],
      notices: ["unknown q remote"],
    },
    {
      rule: "2: is passed over in silence where it is ordinary",
      base: { p: "x" },
      local: { p: "x" },
      unknowns: { remote: [unknownAt("p", "path", "ignored")] },
      plan: [],
    },
    {
      rule: "2: spreads down from a subtree",
      base: { "d/e/p": "x" },
      local: { "d/e/p": "x" },
      unknowns: { remote: [unknownAt("d", "subtree", "symlink")] },
      plan: [],
    },
    {
      rule: "2: spreads down from a file that cannot be read",
      base: { "d/e/p": "x" },
      local: { "d/e/p": "x" },
      unknowns: { remote: [unknownAt("d/e", "path", "ignored")] },
      plan: [],
    },
    {
      rule: "2: spreads down from the root",
      base: { p: "x" },
      local: { p: "x", q: "x" },
      unknowns: { remote: [unknownAt("", "subtree", "mount_changed")] },
      plan: [],
      notices: ["unknown q remote"],
    },
    {
      rule: "2: does not spread to a name that only begins alike",
      base: { "d-1/p": "x" },
      local: { "d-1/p": "x" },
      unknowns: { remote: [unknownAt("d")] },
      plan: ["delete: remove local d-1/p x"],
    },
    {
      rule: "2: keeps what is above it",
      base: { p: "x" },
      local: { p: "x" },
      unknowns: { remote: [unknownAt("p/q", "subtree", "special")] },
      plan: [],
    },
    {
      rule: "2: keeps a file from being renamed to where it lies below",
      base: { p: "x" },
      local: { q: "x" },
      remote: { p: "x" },
      unknowns: { remote: [unknownAt("q/r", "subtree", "special")] },
      plan: [],
      notices: ["unknown q remote"],
    },
    {
      rule: "unreadable names block deletes in their directory",
      base: { "d/p": "x" },
      local: { "d/p": "x" },
      unknowns: { remote: [unknownAt("d", "absent_children")] },
      plan: [],
      notices: ["unknown d/p remote"],
    },
    {
      rule: "unreadable names block no delete on their own side of what was seen",
      base: { "d/p": "x", "d/q": "x" },
      local: { "d/p": "x" },
      remote: { "d/p": "x", "d/q": "x" },
      unknowns: { remote: [unknownAt("d", "absent_children")] },
      plan: ["delete: remove remote d/q x"],
    },
    {
      rule: "unreadable names block no edit of what was seen",
      base: { "d/p": "x" },
      local: { "d/p": "x" },
      remote: { "d/p": "y" },
      unknowns: { remote: [unknownAt("d", "absent_children")] },
      plan: ["download: write local d/p y over x"],
    },
    {
      rule: "unreadable names block deletes below a directory that is missing there",
      base: { "d/e/p": "x" },
      local: { "d/e/p": "x" },
      unknowns: { remote: [unknownAt("d", "absent_children")] },
      plan: [],
      notices: ["unknown d/e/p remote"],
    },
    {
      rule: "unreadable names in the root block deletes in directories that are missing",
      base: { "d/e/p": "x" },
      local: { "d/e/p": "x" },
      unknowns: { remote: [unknownAt("", "absent_children")] },
      plan: [],
      notices: ["unknown d/e/p remote"],
    },
    {
      rule: "unreadable names block no delete in a directory that was read",
      base: { "d/e/p": "x", "d/e/q": "x" },
      local: { "d/e/p": "x", "d/e/q": "x" },
      remote: { "d/e/q": "x" },
      unknowns: { remote: [unknownAt("d", "absent_children")] },
      plan: ["delete: remove local d/e/p x"],
    },
  ]
  test.each(named(rows))("%s", expectRow)
  test.each(named(rows.map(mirroredRow)))("mirrored, %s", expectRow)
})

describe("a rename", () => {
  const renamed = { base: { p: "x" }, local: { q: "x" }, remote: { p: "x" } }
  const renamedThere = {
    base: { p: "x" },
    local: { p: "x" },
    remote: { q: fileAt("x", { fileId: "another" }) },
  }
  test.each(
    named<Row>([
      { rule: "22: here is a move there", ...renamed, plan: ["move: move remote p to q"] },
      {
        rule: "22b: there is a move here, known by its hash",
        ...renamedThere,
        plan: ["move: move local p to q"],
      },
      {
        rule: "22: here needs the same inode",
        base: { p: "x" },
        local: { q: fileAt("x", { fileId: "another" }) },
        remote: { p: "x" },
        plan: ["upload: write remote q x", "delete: remove remote p x"],
      },
      {
        rule: "22: here needs the same content",
        base: { p: "x" },
        local: { q: fileAt("y", { fileId: "id-x" }) },
        remote: { p: "x" },
        plan: ["upload: write remote q y", "delete: remove remote p x"],
      },
      {
        rule: "23: here of what changed there uploads the new name and downloads the old",
        base: { p: "x" },
        local: { q: "x" },
        remote: { p: "y" },
        plan: ["download: write local p y", "upload: write remote q x"],
        notices: ["kept_changed p remote"],
      },
      {
        rule: "22b: there of what changed here is none",
        base: { p: "x" },
        local: { p: "y" },
        remote: { q: "x" },
        plan: ["upload: write remote p y", "download: write local q x"],
        notices: ["kept_changed p local"],
      },
      {
        rule: "22b: there to where something is here is none",
        base: { p: "x" },
        local: { p: "x", q: "y" },
        remote: { q: "x" },
        plan: [
          "conflict: move local q to q.conflict1; move remote q to q.conflict2; write remote q.conflict1 y; write local q.conflict2 x",
          "delete: remove local p x",
        ],
      },
      {
        rule: "22b: there over an agreed file is none",
        base: { p: "x", q: "y" },
        local: { p: "x", q: "y" },
        remote: { q: "x" },
        plan: ["download: write local q x over y", "delete: remove local p x"],
      },
      {
        rule: "22b: of several with one content pairs them in byte order",
        base: { a: "x", b: "x" },
        local: { a: "x", b: "x" },
        remote: { d: "x", c: "x" },
        plan: ["move: move local a to c", "move: move local b to d"],
      },
      {
        rule: "22: of a directory moves each file",
        base: { "d/p": "x", "d/q": "y" },
        local: { "e/p": "x", "e/q": "y" },
        remote: { "d/p": "x", "d/q": "y" },
        plan: ["move: move remote d/p to e/p", "move: move remote d/q to e/q"],
      },
      {
        rule: "22: that the remote cannot make is an upload and an uncounted delete",
        ...renamed,
        settings: NO_MOVES,
        plan: ["upload: write remote q x", "delete (rename): remove remote p x"],
      },
      {
        rule: "22b: that the disk cannot make is a download and an uncounted delete",
        ...renamedThere,
        settings: NO_MOVES,
        plan: ["download: write local q x", "delete (rename): remove local p x"],
      },
      {
        rule: "22: makes room first where a directory takes its name",
        base: { p: "x" },
        local: { q: "x", "p/r": "y" },
        remote: { p: "x" },
        plan: [
          "delete (rename): remove remote p x",
          "upload: write remote p/r y",
          "upload: write remote q x",
        ],
      },
      {
        rule: "22: into a directory of its own name makes room first",
        base: { p: "x" },
        local: { "p/p": "x" },
        remote: { p: "x" },
        plan: ["delete (rename): remove remote p x", "upload: write remote p/p x"],
      },
      {
        rule: "22: out of a directory to its own name makes room first",
        base: { "p/p": "x" },
        local: { p: "x" },
        remote: { "p/p": "x" },
        plan: ["delete (rename): remove remote p/p x", "upload: write remote p x"],
      },
      {
        rule: "22: of a file and a directory that swap their names needs no third name",
        base: { p: "x", "d/q": "y" },
        local: { d: "x", "p/q": "y" },
        remote: { p: "x", "d/q": "y" },
        plan: [
          "delete (rename): remove remote d/q y",
          "delete (rename): remove remote p x",
          "upload: write remote d x",
          "upload: write remote p/q y",
        ],
      },
      {
        rule: "19: of two files that swap their names is two edits",
        base: { p: "x", q: "y" },
        local: { p: "y", q: "x" },
        remote: { p: "x", q: "y" },
        plan: ["upload: write remote p y over x", "upload: write remote q x over y"],
      },
      {
        rule: "counts a name that is gone where its conflict pair appeared",
        base: { p: "x" },
        local: { p: "x" },
        remote: { "p.conflict1": "y", "p.conflict2": "z" },
        plan: [
          "download: write local p.conflict1 y",
          "download: write local p.conflict2 z",
          "delete (rename): remove local p x",
        ],
      },
      {
        rule: "counts a name that is gone where its second conflict pair appeared",
        base: { p: "x", "p.conflict1": "y" },
        local: { p: "x", "p.conflict1": "y" },
        remote: { "p.conflict1": "y", "p.conflict3": "y", "p.conflict4": "z" },
        plan: [
          "download: write local p.conflict3 y",
          "download: write local p.conflict4 z",
          "delete (rename): remove local p x",
        ],
      },
      {
        rule: "is not seen in a name that is gone beside one conflict copy",
        base: { p: "x" },
        local: { p: "x" },
        remote: { "p.conflict1": "y" },
        plan: ["download: write local p.conflict1 y", "delete: remove local p x"],
      },
      {
        rule: "is not seen in a name that is gone beside old conflict copies",
        base: { p: "x", "p.conflict1": "y", "p.conflict2": "z" },
        local: { p: "x", "p.conflict1": "y", "p.conflict2": "z" },
        remote: { "p.conflict1": "y", "p.conflict2": "z" },
        plan: ["delete: remove local p x"],
      },
    ]),
  )("%s", expectRow)
})

describe("a reconciliation", () => {
  test("names each path once, in the order of UTF-8 bytes", () => {
    const names = ["\u{1f600}", "\uffee", "b", "a/b", "a"].map((name) => `${name}-`)
    const world = {
      local: folderOf(Object.fromEntries(names.map((name) => [name, "x"]))),
      remote: new Map(),
      unknowns: { local: [], remote: [] },
    }
    const { reconciliation } = planOf(treesOf(world, stateOf(new Map(), world)))
    const ordered = reconciliation.changes.map((change): RelativePath => change.path)
    expect(ordered).toEqual(["a-", "a/b-", "b-", "\uffee-", "\u{1f600}-"])
  })

  test("says nothing of trees that agree", () => {
    const tree = folderOf({ p: "x", "d/q": "y" })
    const world = { local: tree, remote: tree, unknowns: { local: [], remote: [] } }
    const { reconciliation } = planOf(treesOf(world, stateOf(tree, world)))
    expect(reconciliation).toEqual({ agreed: [], changes: [], notices: [] })
  })

  test.each(["local", "remote"] as const)("says on which side an edit outlived a deletion: %s", (side) => {
    const other = side === "local" ? "remote" : "local"
    const row = { rule: "", base: { p: "x" }, [side]: { p: "y" }, [other]: {}, plan: [] }
    expect(told(row).notices).toEqual([`kept_changed p ${side}`])
  })
})
