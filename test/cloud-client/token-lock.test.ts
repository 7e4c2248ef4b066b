/**
 * One process at a time is at the tokens, and nobody waits for ever for one that is gone.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { lockFile, withTokenLock } from "../../src/cloud/token-lock.ts"
import { logOut, saveLogin } from "../../src/cloud/token-store.ts"
import { readTokens, writeTokens } from "../../src/cloud/token-file.ts"
import { testTime } from "./time.ts"

let directory = ""
let file = ""
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bm-lock-"))
  file = join(directory, "tokens.json")
})
afterEach(() => rmSync(directory, { recursive: true }))

test("two do not work at the same time, and both do", async () => {
  const time = testTime()
  const story: string[] = []
  const work = (name: string) => async () => {
    story.push(`${name} begins`)
    await time.sleep(250)
    story.push(`${name} ends`)
    return name
  }
  const done = await Promise.all([withTokenLock(time, file, work("a")), withTokenLock(time, file, work("b"))])
  expect(done).toEqual(["a", "b"])
  expect(story).toEqual(["a begins", "a ends", "b begins", "b ends"])
  expect(readdirSync(directory)).toEqual([])
})

test("it is given back where the work fails", async () => {
  const time = testTime()
  const failing = withTokenLock(time, file, () => Promise.reject(new Error("no")))
  await expect(failing).rejects.toThrow("no")
  expect(readdirSync(directory)).toEqual([])
})

test("one that nobody comes back for is taken over at once when it is old", async () => {
  const time = testTime()
  writeFileSync(lockFile(file), "somebody")
  const longAgoS = time.clock.nowMs() / 1000 - 60
  utimesSync(lockFile(file), longAgoS, longAgoS)
  expect(await withTokenLock(time, file, async () => readFileSync(lockFile(file), "utf8"))).toMatch(
    /^[0-9a-f]{32}$/,
  )
  expect(time.slept).toEqual([])
  expect(readdirSync(directory)).toEqual([])
})

test("one that is young is waited for until it is old", async () => {
  const time = testTime()
  writeFileSync(lockFile(file), "somebody")
  expect(await withTokenLock(time, file, async () => 7)).toBe(7)
  const waitedMs = time.slept.reduce((sum, ms) => sum + ms, 0)
  expect(waitedMs).toBeGreaterThan(30_000)
  expect(waitedMs).toBeLessThanOrEqual(40_100)
})

test("where the clock stands still, the wait has an end, and the lock of the other is left", async () => {
  const time = testTime()
  writeFileSync(lockFile(file), "somebody")
  let sleeps = 0
  const still = { clock: time.clock, sleep: async () => void (sleeps += 1) }
  expect(await withTokenLock(still, file, async () => 7)).toBe(7)
  expect(sleeps).toBe(400)
  expect(readFileSync(lockFile(file), "utf8")).toBe("somebody")
})

test("who lost it to another does not give the other's back", async () => {
  await withTokenLock(testTime(), file, async () => writeFileSync(lockFile(file), "another"))
  expect(readFileSync(lockFile(file), "utf8")).toBe("another")
})

test("where no lock can be made, the work is done without", async () => {
  writeFileSync(join(directory, "not-a-directory"), "")
  const time = testTime()
  const inside = join(directory, "not-a-directory", "tokens.json")
  expect(await withTokenLock(time, inside, async () => 7)).toBe(7)
  expect(time.slept).toEqual([])
})

test("a login and a logout wait for whoever is at the tokens", async () => {
  const time = testTime()
  const tokens = (accessToken: string) => ({ accessToken, expiresAtS: 5 })
  const refreshing = withTokenLock(time, file, async () => {
    await time.sleep(500)
    writeTokens(file, tokens("refreshed"))
  })
  const saved = await saveLogin(time, file, tokens("new-login"))
  await refreshing
  expect(saved.ok).toBe(true)
  expect(readTokens(file)).toEqual({ ok: true, value: tokens("new-login") })
  const again = withTokenLock(time, file, async () => {
    await time.sleep(500)
    writeTokens(file, tokens("refreshed"))
  })
  expect(await logOut(time, file)).toEqual({ ok: true, value: true })
  await again
  expect(readTokens(file)).toEqual({ ok: true, value: undefined })
  expect(await logOut(time, file)).toEqual({ ok: true, value: false })
})
