/** Moves within a remote, the time that they have, and who is told what became of them. */

import { describe, expect, test } from "vitest"
import { err, ok, type Result } from "../../src/model/result.ts"
import { UNKNOWN } from "../../src/rclone/failure.ts"
import { moveOrCopy, WRITE_MS_MAX, writeTime } from "../../src/rclone/moving.ts"
import { storeOver } from "../../src/rclone/rclone-store.ts"
import type { RcloneRemote } from "../../src/rclone/remote.ts"
import { keeping, removeObject } from "../../src/rclone/removing.ts"
import type { Body, Failure } from "../../src/store/store.ts"
import { type Asked, CUT, REMOTE, sideOver } from "./fake-rclone.ts"

const NOT_FOUND: Failure = { kind: "not_found", detail: "directory not found" }
const REFUSED: Failure = { kind: "refused", detail: "400 Bad Request" }
const ODD: Failure = { kind: "unreachable", detail: UNKNOWN }
const MOVE = "operations/movefile"
const TEXT: Body = { kind: "bytes", bytes: Buffer.from("text") }
const MTIME = "2026-02-03T04:05:06.789Z"
const AT = { metadata: { mtime: String(Date.parse(MTIME) / 1000) } }

/** A storage of which a test says only what a move is answered. */
const moves =
  (answerOf: (asked: Asked) => Result<unknown, Failure>, listed: Result<unknown, Failure> = err(NOT_FOUND)) =>
  (asked: Asked): Result<unknown, Failure> =>
    asked.command === MOVE ? answerOf(asked) : asked.command === "operations/list" ? listed : ok({})

const configOf = ({ input }: Asked): unknown => input["_config"]

describe("a move", () => {
  test.each<readonly [string, Failure, number]>([
    ["renames onto nothing only", REFUSED, 2],
    ["says something that nobody understands", ODD, 2],
    ["cannot be reached", CUT, 1],
    ["does not allow it", { kind: "denied", detail: "403 Forbidden" }, 1],
    ["has no such file", NOT_FOUND, 1],
  ])("is tried with a look at its goal where the storage %s", async (_, failure, times) => {
    const { side, asked } = sideOver(moves(() => err(failure)))
    const moved = await moveOrCopy(side, MOVE, { from: "a", to: "b", left: writeTime(side) })
    expect(moved).toEqual(err(failure))
    const sent = asked.filter(({ command }) => command === MOVE)
    // Without `IgnoreTimes` rclone takes what has the same size and time for done, and removes the source.
    expect(sent.map(configOf)).toEqual(
      [true, false].slice(0, times).map((NoCheckDest) => ({
        UseServerModTime: false,
        IgnoreTimes: true,
        Inplace: true,
        NoCheckDest,
      })),
    )
  })

  test("looks first where two files may have one name", async () => {
    const { side, asked } = sideOver(
      moves(() => ok({})),
      { ...REMOTE, hasDuplicates: true },
    )
    await moveOrCopy(side, MOVE, { from: "a", to: "b", left: writeTime(side) })
    expect(asked.filter(({ command }) => command === MOVE).map(configOf)).toMatchObject([
      { NoCheckDest: false },
    ])
  })

  test("is not sent where a directory that holds something has the name of its goal", async () => {
    const { side, asked } = sideOver(moves(() => ok({}), ok({ list: [{ Path: "b/c" }] })))
    const moved = await moveOrCopy(side, MOVE, { from: "a", to: "b", left: writeTime(side) })
    expect(moved).toMatchObject({ error: { kind: "refused", detail: "is a directory" } })
    expect(asked.map(({ command }) => command)).toEqual(["operations/list"])
  })

  test.each<readonly [string, Result<unknown, Failure>]>([
    ["holds nothing", ok({ list: [] })],
    ["is none", err(NOT_FOUND)],
    ["is a file", err({ kind: "unreachable", detail: "is a file not a directory" })],
    ["is a file, in other words", err({ kind: "refused", detail: "not a directory" })],
    ["is said to be something that nobody understands", err(ODD)],
  ])("is sent where what has the name of its goal %s", async (_, listed) => {
    const { side } = sideOver(moves(() => ok({}), listed))
    expect((await moveOrCopy(side, MOVE, { from: "a", to: "b", left: writeTime(side) })).ok).toBe(true)
  })

  test("is not sent where nobody can say what is at its goal", async () => {
    const { side, asked } = sideOver(moves(() => ok({}), err(CUT)))
    expect(await moveOrCopy(side, MOVE, { from: "a", to: "b", left: writeTime(side) })).toEqual(err(CUT))
    expect(asked.some(({ command }) => command === MOVE)).toBe(false)
  })

  test.each<readonly [string, Partial<RcloneRemote>]>([
    ["a bucket", { isBucketBased: true }],
    ["a folder of this machine", { isLocal: true }],
  ])("needs no look at its goal in %s", async (_, kind) => {
    const { side, asked } = sideOver(
      moves(() => ok({})),
      { ...REMOTE, ...kind },
    )
    await moveOrCopy(side, MOVE, { from: "a", to: "b", left: writeTime(side) })
    expect(asked.map(({ command }) => command)).toEqual([MOVE])
  })
})

describe("a write", () => {
  test("has one time for all that it sends, and sends nothing later", async () => {
    const at = sideOver(({ command, input }) => {
      if (command === "operations/list") return err(NOT_FOUND)
      if (command === "operations/copyfile") at.later(60_000)
      if (command !== MOVE) return ok({})
      at.later(60_000)
      return err(input["dstRemote"] === "d/a.md" ? REFUSED : ODD)
    })
    const put = await storeOver(at.side, () => {}).put("d/a.md", TEXT, AT)
    expect(put).toMatchObject({ error: { kind: "too_late" } })
    const sent = at.asked.filter(({ command }) => command === "operations/copyfile" || command === MOVE)
    expect(sent.map(({ command, withinMs }) => [command, withinMs])).toEqual([
      ["operations/copyfile", WRITE_MS_MAX],
      [MOVE, WRITE_MS_MAX - 60_000],
    ])
    // What was sent, and was not to be seen yet, is taken away.
    expect(at.asked.at(-1)).toMatchObject({ command: "operations/deletefile" })
    expect(at.asked.at(-1)?.input["remote"]).toBe(sent[0]?.input["dstRemote"])
  })

  test.each<readonly [string, object | null, string]>([
    ["shows what was written", { Path: "a", Size: 4, ModTime: MTIME }, `4:t:${Date.parse(MTIME)}`],
    [
      "rounds times",
      { Path: "a", Size: 4, ModTime: "2026-02-03T04:05:06Z" },
      `4:t:${Date.parse("2026-02-03T04:05:06Z")}`,
    ],
    ["shows another size", { Path: "a", Size: 5, ModTime: MTIME }, "overtaken"],
    ["shows another time", { Path: "a", Size: 4, ModTime: "2026-02-03T04:05:09.789Z" }, "overtaken"],
    ["shows nothing", null, "overtaken"],
  ])("is told by a look where there are no checksums: one that %s", async (_, item, etag) => {
    const { side } = sideOver(({ command }) =>
      command === "operations/list" ? err(NOT_FOUND) : ok(command === "operations/stat" ? { item } : {}),
    )
    expect(await storeOver(side, () => {}).put("a", TEXT, AT)).toEqual(ok({ etag }))
  })

  test("needs no look where its checksum is known", async () => {
    const { side, asked } = sideOver(() => ok({}), { ...REMOTE, isBucketBased: true, checksum: "md5" })
    const put = await storeOver(side, () => {}).put("a", TEXT, AT)
    expect(put).toEqual(ok({ etag: "4:md5:1cb251ec0d568de6a929b520c4aed8d1" }))
    expect(asked.map(({ command }) => command)).toEqual(["operations/copyfile"])
  })

  test("whose look gets no answer is one of which nobody knows", async () => {
    const { side } = sideOver(({ command }) => (command === "operations/stat" ? err(CUT) : ok({ list: [] })))
    expect(await storeOver(side, () => {}).put("a", TEXT, AT)).toEqual(err(CUT))
  })
})

describe("a directory that holds nothing any more", () => {
  const removedIn = (asked: readonly Asked[]): readonly unknown[] =>
    asked.filter(({ command }) => command === "operations/rmdir").map(({ input }) => input["remote"])

  test("is removed with those above it, to the first that holds something", async () => {
    const { side, asked } = sideOver(({ input }) => (input["remote"] === "a" ? err(REFUSED) : ok({})))
    await removeObject(side, "a/b/c/d.md")
    expect(removedIn(asked)).toEqual(["a/b/c", "a/b", "a"])
  })

  test("stays where it is ours, or where there are no directories", async () => {
    const ours = sideOver(() => ok({}))
    await removeObject(ours.side, ".basic-memory/bisync/lease/d1")
    const bucket = sideOver(() => ok({}), { ...REMOTE, hasEmptyDirectories: false })
    await removeObject(bucket.side, "a/b.md")
    expect([...removedIn(ours.asked), ...removedIn(bucket.asked)]).toEqual([])
  })

  test("stays while something is put below it, and goes when that has failed", async () => {
    const { side, asked } = sideOver(() => ok({}))
    await keeping(side, "a/b/new.md", () => removeObject(side, "a/b/c/old.md"))
    expect(removedIn(asked)).toEqual(["a/b/c"])
    const failed = keeping(side, "a/b/new.md", () => Promise.reject(new RangeError("ours")))
    await expect(failed).rejects.toThrow(RangeError)
    await removeObject(side, "a/b/old.md")
    expect(removedIn(asked)).toEqual(["a/b/c", "a/b", "a"])
  })

  test("is gone before something is put below it, where it has begun to go", async () => {
    const said: string[] = []
    let answer = (): void => {}
    const gone = new Promise<void>((resolve) => {
      answer = resolve
    })
    const { side } = sideOver(async ({ command }) => {
      if (command !== "operations/rmdir") return ok({})
      said.push("removes")
      await gone
      said.push("removed")
      return ok({})
    })
    const removing = removeObject(side, "a/old.md")
    while (said.length === 0) await Promise.resolve()
    const put = keeping(side, "a/new.md", async () => said.push("put"))
    const other = keeping(side, "b/new.md", async () => said.push("put elsewhere"))
    await other
    answer()
    await Promise.all([removing, put])
    expect(said).toEqual(["removes", "put elsewhere", "removed", "put"])
  })
})
