/** A user's own git understands everything we write, and what it does to the repository we understand. */

import { createHash } from "node:crypto"
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  lstatSync,
} from "node:fs"
import { dirname, join } from "node:path"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { openGitHistory } from "../../src/history/git-history.ts"
import { writeGitLink } from "../../src/history/git-repository.ts"
import { parsePath } from "../../src/model/path.ts"
import type { HistoryStore } from "../../src/model/ports.ts"
import { bytesOf, collect, commitTexts, record, streamOf, textsOf, value } from "./contract.ts"
import { fsck, git, gitBytes, hasGit, makeDirectory, packsIn } from "./git-fixture.ts"

interface World {
  readonly gitDirectory: string
  readonly syncDirectory: string
  readonly store: HistoryStore
}

function world(): World {
  const parent = makeDirectory()
  const syncDirectory = join(parent, "sync")
  mkdirSync(syncDirectory)
  const gitDirectory = join(parent, "state", "history.git")
  return { gitDirectory, syncDirectory, store: openGitHistory({ directory: gitDirectory, syncDirectory }) }
}

describe.skipIf(!hasGit)("stock git (skipped where it is not installed)", () => {
  fsckTests()
  logTests()
  linkTests()
  gcTests()
})

const names = fc.constantFrom("a", "b", "a.md", "a-", "a0", "é", "😀", "\uff21", "-x", "__proto__", "q\"\n'")
const paths = fc.array(names, { minLength: 1, maxLength: 4 }).map((segments) => segments.join("/"))
const commits = fc.array(
  fc.array(fc.tuple(paths, fc.option(fc.string({ maxLength: 20 }))), { minLength: 1, maxLength: 8 }),
  { minLength: 1, maxLength: 20 },
)

function fsckTests(): void {
  test("fsck --strict is clean after any commits, and git reads the tree that we read", async () => {
    await fc.assert(
      fc.asyncProperty(commits, fc.boolean(), async (history, isOneWriter) => {
        const { gitDirectory, store } = world()
        const writers = isOneWriter ? [history] : history.map((commit) => [commit])
        for (const group of writers) {
          const writer = value(await store.begin())
          for (const commit of group) {
            await commitTexts(writer, new Map(commit.map(([path, text]) => [path, text ?? undefined])))
          }
          value(await writer.finish())
        }
        expect(fsck(gitDirectory)).toBe("")
        const listed = git(gitDirectory, "ls-tree", "-r", "-z", "--name-only", "main")
          .split("\0")
          .slice(0, -1)
        expect(listed).toEqual([...value(await store.tree()).keys()])
      }),
      { numRuns: 12 },
    )
  })

  test("notes with git's own special names and hostile content do not fail fsck", async () => {
    const { gitDirectory, store } = world()
    const hostile = '[submodule "../../x"]\n\tpath = -x\n\turl = -u./payload\n\tupdate = !touch /tmp/owned\n'
    await record(store, {
      ".gitmodules": hostile,
      "d/.gitmodules": "not [ a config",
      "e/.gitmodules/note.md": "a directory",
      "f/.GITMODULES": hostile,
      ".gitattributes": `* text eol=crlf filter=evil ${"x".repeat(4000)}\n`,
      "e/.gitattributes/note.md": "a directory",
      ".gitignore": "*",
      ".mailmap": "x",
      "a\\.git\\b": "a backslash is a letter here",
    })
    expect(fsck(gitDirectory)).toBe("")
  })

  test("fsck is clean after 60 runs were made few packs, and every commit is there", async () => {
    const { gitDirectory, store } = world()
    for (let i = 0; i < 60; i++) await record(store, { "d/a.md": `text ${i}` }, `run ${i}`)
    expect(packsIn(gitDirectory).length).toBeLessThan(12)
    expect(fsck(gitDirectory)).toBe("")
    expect(git(gitDirectory, "log", "--format=%s", "main").trim().split("\n")).toHaveLength(60)
  })

  test("a crash after packs were made one, before the old ones are gone, leaves every object readable", async () => {
    const { gitDirectory, store } = world()
    const packDirectory = join(gitDirectory, "objects/pack")
    const aside = makeDirectory()
    for (let i = 0; i < 50; i++) await record(store, { "d/a.md": `text ${i}` })
    cpSync(packDirectory, aside, { recursive: true })
    await record(store, { "d/a.md": "text 50" })
    expect(packsIn(gitDirectory)).toHaveLength(1)
    cpSync(aside, packDirectory, { recursive: true })
    expect(fsck(gitDirectory)).toBe("")
    await record(openGitHistory({ directory: gitDirectory }), { "d/a.md": "text 51" })
    expect(packsIn(gitDirectory)).toHaveLength(1)
    expect(fsck(gitDirectory)).toBe("")
    expect(git(gitDirectory, "rev-list", "--count", "main")).toBe("52\n")
  })

  test("an unfinished writer and a truncated temporary pack leave fsck clean", async () => {
    const { gitDirectory, store } = world()
    await record(store, { "a.md": "a" })
    writeFileSync(join(gitDirectory, "objects/pack/tmp_pack_bm_1"), "PACK\0\0")
    const writer = value(await store.begin())
    await commitTexts(writer, { "a.md": "b" })
    expect(fsck(gitDirectory)).toBe("")
    await writer.abandon()
  })

  test("a large version is pinned, and read by git", async () => {
    const { gitDirectory, store } = world()
    await record(store, { "a.md": "a" })
    const bytes = Buffer.alloc(3_000_000, "0123456789")
    const oid = value(
      await store.keepLarge(streamOf([bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000)])),
    )
    expect(fsck(gitDirectory)).toBe("")
    expect(git(gitDirectory, "for-each-ref", "--format=%(refname) %(objecttype)", "refs/bm").trim()).toBe(
      `refs/bm/large/${oid} blob`,
    )
    expect(Buffer.compare(gitBytes(gitDirectory, "cat-file", "blob", oid), bytes)).toBe(0)
  })
}

function logTests(): void {
  test("git log -p shows loser and then winner, in the sync directory and below", async () => {
    const { syncDirectory, store } = world()
    const below = join(syncDirectory, "project", "deep")
    mkdirSync(below, { recursive: true })
    await record(store, { "project/deep/a.md": "base\n" }, "base")
    const writer = value(await store.begin())
    await commitTexts(writer, { "project/deep/a.md": "the loser\n" }, "loser")
    await commitTexts(writer, { "project/deep/a.md": "the winner\n" }, "winner")
    value(await writer.finish())
    for (const log of [
      git(syncDirectory, "log", "-p", "--", "project/deep/a.md"),
      git(below, "log", "-p", "--", "a.md"),
    ]) {
      expect(log.match(/^[-+](base|the loser|the winner)$/gm)).toEqual([
        "-the loser",
        "+the winner",
        "-base",
        "+the loser",
        "+base",
      ])
      expect(log).toContain("Author: bm <bm@localhost>")
      expect(log).toContain("Date:   Wed Nov 25 12:00:00 2026 +0000")
    }
  })

  test("bytes stay exact whatever .gitattributes says, in the store and on checkout", async () => {
    const { syncDirectory, store } = world()
    const attributes = "* text=auto eol=crlf ident working-tree-encoding=UTF-16 filter=evil diff=evil\n"
    writeFileSync(join(syncDirectory, ".gitattributes"), attributes)
    const odd = new Map<string, Uint8Array>([
      [".gitattributes", bytesOf(attributes)],
      ["crlf.md", bytesOf("a\r\nb\nc\r$Id$\n")],
      ["odd.md", Buffer.from([0xff, 0xfe, 0, 13, 10, 0x80])],
    ])
    await record(store, odd)
    git(syncDirectory, "checkout", "main", "--", "crlf.md", "odd.md")
    for (const [name, bytes] of odd) {
      expect(gitBytes(syncDirectory, "cat-file", "blob", `main:${name}`), name).toEqual(bytes)
      expect(readFileSync(join(syncDirectory, name)), name).toEqual(bytes)
    }
  })

  test.each(["-rf", "q'\"uote.md", "a\nb.md", "😀/\uff21.md", "__proto__", "a\\b"])(
    "git log finds %j",
    async (name) => {
      const { gitDirectory, syncDirectory, store } = world()
      expect(parsePath(name).ok).toBe(true)
      await record(store, new Map([[name, "1\n"]]), "first")
      await record(store, new Map([[name, "2\n"]]), "second")
      const log = git(syncDirectory, "--literal-pathspecs", "log", "--format=%s", "--", name)
      expect(log).toBe("second\nfirst\n")
      expect(fsck(gitDirectory)).toBe("")
    },
  )

  test("a message with NUL, trailing space and many lines makes a clean commit", async () => {
    const { gitDirectory, store } = world()
    await record(store, { "a.md": "a" }, "subject\0\n\nbody é 😀\n\n\n")
    expect(fsck(gitDirectory)).toBe("")
    expect(git(gitDirectory, "log", "--format=%B", "main").trimEnd()).toBe("subject\n\nbody é 😀")
  })

  test("git status and log run nothing from the sync directory and write nothing to it", async () => {
    const { syncDirectory, store } = world()
    await record(store, { "a.md": "a" })
    mkdirSync(join(syncDirectory, ".basic-memory"))
    writeFileSync(join(syncDirectory, ".basic-memory/marker"), "")
    expect(git(syncDirectory, "status", "--short", "--untracked-files=all")).not.toContain("basic-memory")
    expect(readdirSync(syncDirectory).sort()).toEqual([".basic-memory", ".git"])
  })
}

function linkTests(): void {
  test.each<[string, (path: string) => void]>([
    ["directory", (path) => mkdirSync(path)],
    ["file", (path) => writeFileSync(path, "gitdir: elsewhere\n")],
    ["symlink that leads nowhere", (path) => symlinkSync("nowhere/at/all", path)],
  ])("a .git that is a %s stays what it is", async (_, make) => {
    const { gitDirectory, syncDirectory, store } = world()
    const path = join(syncDirectory, ".git")
    make(path)
    const before = JSON.stringify([lstatSync(path).ino, lstatSync(path).mtimeMs, lstatSync(path).size])
    value(await store.begin())
    expect(value(await writeGitLink({ gitDirectory, syncDirectory }))).toBe("present")
    expect(JSON.stringify([lstatSync(path).ino, lstatSync(path).mtimeMs, lstatSync(path).size])).toBe(before)
    expect(readdirSync(syncDirectory)).toEqual([".git"])
  })

  test.each([
    ["that a crash left empty", ""],
    [
      "to a history that this folder no longer has",
      "gitdir: /home/x/.basic-memory/bisync-state/old/history.git\n",
    ],
  ])("a link %s is written again", async (_, found) => {
    const { gitDirectory, syncDirectory } = world()
    const path = join(syncDirectory, ".git")
    writeFileSync(path, found)
    expect(value(await writeGitLink({ gitDirectory, syncDirectory }))).toBe("written")
    expect(readFileSync(path, "utf8")).toBe(`gitdir: ${gitDirectory}\n`)
    expect(value(await writeGitLink({ gitDirectory, syncDirectory }))).toBe("present")
  })

  test("a sync directory that is missing is trouble for the link, and none for the history", async () => {
    const { gitDirectory, syncDirectory, store } = world()
    rmSync(syncDirectory, { recursive: true })
    expect(await writeGitLink({ gitDirectory, syncDirectory })).toMatchObject({
      ok: false,
      error: { code: "not_found", path: ".git" },
    })
    await record(store, { "a.md": "a" })
  })
}

function gcTests(): void {
  test("after a user's git gc everything is readable, also deltas, packed refs and large versions", async () => {
    const { gitDirectory, store } = world()
    const base = Array.from(
      { length: 400 },
      (_, i) => `line ${i} ${createHash("sha256").update(`${i}`).digest("hex")}`,
    )
    for (let i = 0; i < 5; i++)
      await record(store, { "d/a.md": [...base, `end ${i}`].join("\n"), "b.md": `${i}` })
    const large = bytesOf("large ".repeat(50_000))
    const oid = value(await store.keepLarge(streamOf([large])))
    const writer = value(await store.begin())
    const preImage = value(await writer.add(bytesOf("no branch leads here")))
    value(await writer.finish())
    const before = await textsOf(store)
    git(gitDirectory, "gc", "--aggressive", "--prune=now", "-q")
    git(gitDirectory, "pack-refs", "--all")
    const [pack] = packsIn(gitDirectory)
    expect(git(gitDirectory, "verify-pack", "-v", `objects/pack/${pack}`)).toMatch(/chain length = 1/)
    for (const opened of [store, openGitHistory({ directory: gitDirectory })]) {
      expect(await textsOf(opened)).toEqual(before)
      expect(Buffer.compare(await collect(opened.stream(oid)), large)).toBe(0)
    }
    await record(store, { "d/a.md": "after" })
    expect(fsck(gitDirectory)).toBe("")
    expect((await textsOf(store)).get("d/a.md")).toBe("after")
    expect(await store.has(preImage)).toBe(false)
  })

  test("an ordinary git gc throws away nothing that no branch names", async () => {
    const { gitDirectory, store } = world()
    await record(store, { "a.md": "a" })
    const writer = value(await store.begin())
    const oid = value(await writer.add(bytesOf("no branch leads here")))
    value(await writer.finish())
    git(gitDirectory, "gc", "-q")
    expect(Buffer.from(value(await store.read(oid))).toString()).toBe("no branch leads here")
  })

  test("packs of git gc are left alone by consolidation", async () => {
    const { gitDirectory, store } = world()
    for (let i = 0; i < 3; i++) await record(store, { "a.md": `line\n`.repeat(300 + i) })
    git(gitDirectory, "gc", "-q")
    const [theirs] = packsIn(gitDirectory)
    for (let i = 0; i < 55; i++) await record(store, { "a.md": `${i}` })
    expect(packsIn(gitDirectory)).toContain(theirs)
    expect(packsIn(gitDirectory).length).toBeLessThan(10)
    expect(fsck(gitDirectory)).toBe("")
  })

  test("the history of a sync directory that was moved still opens", async () => {
    const { gitDirectory, syncDirectory, store } = world()
    await record(store, { "a.md": "a" })
    const moved = join(dirname(syncDirectory), "moved")
    renameSync(syncDirectory, moved)
    expect(git(moved, "log", "--format=%s")).toBe("change\n")
    expect(git(moved, "rev-parse", "--git-dir").trim()).toBe(gitDirectory)
  })
}
