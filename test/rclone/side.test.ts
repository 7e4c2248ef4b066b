/** How rclone is asked, and asked again: never longer than was allowed, and never twice what must not happen twice. */

import type { IncomingMessage } from "node:http"
import { describe, expect, test } from "vitest"
import { err, ok, type Result } from "../../src/model/result.ts"
import type { AskOptions } from "../../src/rclone/side.ts"
import type { Failure } from "../../src/store/store.ts"
import { type Asked, CUT, inTurn, sideOver } from "./fake-rclone.ts"

const BUSY: Failure = { kind: "busy", detail: "SlowDown" }
const DENIED: Failure = { kind: "denied", detail: "AccessDenied" }
const READ: AskOptions = { withinMs: 60_000, isRepeatable: true }
const WRITE: AskOptions = { withinMs: 60_000, isRepeatable: false }

describe("what went wrong", () => {
  test.each<readonly [string, Failure, AskOptions, number]>([
    ["a busy storage did nothing: a read", BUSY, READ, 4],
    ["a busy storage did nothing: a write", BUSY, WRITE, 4],
    ["nobody knows what became of it: a read", CUT, READ, 4],
    ["nobody knows what became of it: a write", CUT, WRITE, 1],
    ["it would be the same again: a read", DENIED, READ, 1],
    ["it would be the same again: a write", DENIED, WRITE, 1],
  ])("is asked for again where that helps, because %s", async (_, failure, options, times) => {
    const { side, asked } = sideOver(() => err(failure))
    expect(await side.ask("x", {}, options)).toEqual(err(failure))
    expect(asked).toHaveLength(times)
  })

  test("is over where it goes well after that", async () => {
    const { side, asked, waitedMs } = sideOver(inTurn(err(BUSY), err(CUT), ok("done")))
    expect(await side.ask("x", {}, READ)).toEqual(ok("done"))
    expect(asked).toHaveLength(3)
    expect(waitedMs()).toBe(800 + 1600)
  })

  test("is asked for again only in the time that is left, of which each request is told", async () => {
    const { side, asked, later } = sideOver(() => {
      later(3_000)
      return err(BUSY)
    })
    expect(await side.ask("x", {}, { ...WRITE, withinMs: 8_000 })).toEqual(err(BUSY))
    expect(asked.map(({ withinMs }) => withinMs)).toEqual([8_000, 4_200])
  })

  test("is not asked for again where the wait took all the time there was", async () => {
    const at = sideOver(() => {
      at.oversleep(60_000)
      return err(BUSY)
    })
    expect(await at.side.ask("x", {}, { ...WRITE, withinMs: 50_000 })).toEqual(err(BUSY))
    expect(at.asked).toHaveLength(1)
  })

  test("is asked for at least once, however little time there is", async () => {
    const { side, asked } = sideOver(() => err(BUSY))
    await side.ask("x", {}, { ...READ, withinMs: 0 })
    expect(asked.map(({ withinMs }) => withinMs)).toEqual([1])
  })

  test("is not asked for again of an rclone that has ended", async () => {
    const { side, asked, die } = sideOver(() => {
      die()
      return err(CUT)
    })
    expect(await side.ask("x", {}, READ)).toEqual(err(CUT))
    expect(asked).toHaveLength(1)
  })

  test("is asked for again where a file was to be opened", async () => {
    const { side, opened } = sideOver(() => err(CUT))
    const open: Result<IncomingMessage, Failure> = await side.open("d/a\nb.md")
    expect(open).toEqual(err(CUT))
    expect(opened).toEqual(Array.from({ length: 4 }, () => "r:x/ d/a␊b.md"))
  })
})

describe("a name", () => {
  test("goes to rclone as rclone says it, and nothing else is changed", async () => {
    const { side, asked } = sideOver(() => ok({}))
    const input = {
      fs: "r:\n",
      remote: "a\n",
      srcFs: "s\n",
      srcRemote: "b\t",
      dstFs: "d",
      dstRemote: "c␊",
      n: 1,
    }
    await side.ask("x", input, READ)
    expect(asked[0]?.input).toEqual({ ...input, remote: "a␊", srcRemote: "b␉", dstRemote: "c‛␊" })
  })

  test.each(["a//b", "/a", "a/", "a/../b", "..", ".", "./a", "a/.", "a/.."])(
    "that is no path is refused before rclone hears of it: %j",
    async (name) => {
      const { side, asked } = sideOver(() => ok({}))
      for (const field of ["remote", "srcRemote", "dstRemote"])
        expect(await side.ask("x", { [field]: name }, READ)).toEqual(
          err({ kind: "refused", detail: "no path" }),
        )
      expect(asked).toEqual([])
    },
  )

  test.each(["", "a", ".a/..b", "a.", "...", "a/...", "a\n/b"])("is one: %j", async (name) => {
    const { side } = sideOver(() => ok("asked"))
    expect(await side.ask("x", { remote: name }, READ)).toEqual(ok("asked"))
  })
})

describe("what must be whole", () => {
  const WHOLE: AskOptions = { ...READ, isAllOrNothing: true }
  const counting =
    (...errors: readonly number[]) =>
    ({ command }: Asked): Result<unknown, Failure> => {
      if (command !== "core/stats") return ok({ list: [] })
      const [first, ...rest] = errors
      const left = first ?? 0
      errors = rest
      return ok({
        errors: left,
        ...(left > 0 && { lastError: 'failed to open directory "d": open /d: permission denied' }),
      })
    }

  test("is asked for under a name of its own, whose counts are read and forgotten", async () => {
    const { side, asked } = sideOver(counting(0))
    expect(await side.ask("operations/list", { fs: "r:" }, WHOLE)).toEqual(ok({ list: [] }))
    const group = asked[0]?.input["_group"]
    expect(typeof group).toBe("string")
    expect(asked.map(({ command }) => command)).toEqual([
      "operations/list",
      "core/stats",
      "core/stats-delete",
    ])
    expect(asked.slice(1).map(({ input }) => input)).toEqual([{ group }, { group }])
  })

  test("is a failure where rclone passed something over, with the reason that it counted last", async () => {
    const { side } = sideOver(counting(1))
    expect(await side.ask("operations/list", {}, WHOLE)).toMatchObject({
      error: { kind: "denied", detail: "permission denied" },
    })
  })

  test("is a failure where nobody knows whether something was passed over", async () => {
    const { side } = sideOver(({ command }) => (command === "core/stats" ? err(DENIED) : ok({})))
    expect(await side.ask("operations/list", {}, WHOLE)).toEqual(err(DENIED))
    const silent = sideOver(() => ok({}))
    expect((await silent.side.ask("operations/list", {}, WHOLE)).ok).toBe(false)
  })

  test("is as good as new when it is asked for again", async () => {
    let lists = 0
    const { side, asked } = sideOver(({ command }) => {
      if (command === "operations/list") lists += 1
      if (command === "operations/list" && lists === 1) return err(BUSY)
      return ok(command === "core/stats" ? { errors: 0 } : {})
    })
    expect((await side.ask("operations/list", {}, WHOLE)).ok).toBe(true)
    const groups = asked
      .filter(({ command }) => command === "operations/list")
      .map(({ input }) => input["_group"])
    expect(new Set(groups).size).toBe(2)
  })
})
