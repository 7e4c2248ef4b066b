/**
 * Two processes of one user whose token runs out at the same moment: a refresh token is taken once, and both go on.
 */

import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { readTokens, writeTokens } from "../../src/cloud/token-file.ts"
import { bundle } from "./bundle.ts"
import { formOf, json, startHost, stopHosts } from "./fake-host.ts"

let directory = ""
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bm-processes-"))
})
afterEach(async () => {
  await stopHosts()
  rmSync(directory, { recursive: true })
})

const PROCESSES = 4

/** Each waits until all are there, and then asks. */
const CLIENT = `
const [, , modules, file, url] = process.argv
const [{ openSession }, { openHttp }, { openTokenFile }] = await Promise.all(JSON.parse(modules).map((each) => import(each)))
const clock = { nowMs: () => Date.now() }
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const hosts = { apiUrl: url, authUrl: url, clientId: "client" }
const session = openSession({ ask: openHttp(), clock, tokens: openTokenFile({ clock, sleep }, file) }, hosts)
await fetch(url + "/ready")
console.log(JSON.stringify(await session.ask({ method: "GET", path: "/proxy/health" })))
`

test("as many as there are, one of them refreshes and all of them are answered", async () => {
  const file = join(directory, "tokens.json")
  const entries = ["session", "http", "token-store"].map((name) => `src/cloud/${name}.ts`)
  const modules = await Promise.all(entries.map((entry) => bundle({ entry, directory })))
  const script = join(directory, "client.mjs")
  writeFileSync(script, CLIENT)
  writeTokens(file, { accessToken: "access-0", refreshToken: "refresh-0", expiresAtS: 0 })

  let ready = 0
  let allReady = () => {}
  const everybody = new Promise<void>((resolve) => (allReady = resolve))
  let refreshes = 0
  const host = await startHost(async (asked) => {
    if (asked.path === "/ready") {
      ready += 1
      if (ready === PROCESSES) allReady()
      await everybody
      return json({})
    }
    if (asked.path !== "/oauth2/token") return json({ token: asked.headers["authorization"] })
    if (formOf(asked)["refresh_token"] !== `refresh-${refreshes}`)
      return json({ error: "invalid_grant" }, 400)
    refreshes += 1
    return json({
      access_token: `access-${refreshes}`,
      refresh_token: `refresh-${refreshes}`,
      expires_in: 3600,
    })
  })
  const answers = await Promise.all(
    Array.from({ length: PROCESSES }, () => outputOf([script, JSON.stringify(modules), file, host.url])),
  )

  for (const answer of answers) expect(answer).toEqual({ ok: true, value: { token: "Bearer access-1" } })
  expect(host.asked.filter(({ path }) => path === "/oauth2/token")).toHaveLength(1)
  expect(readTokens(file)).toMatchObject({
    ok: true,
    value: { accessToken: "access-1", refreshToken: "refresh-1" },
  })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(directory).filter((name) => name.startsWith("tokens.json"))).toEqual(["tokens.json"])
})

async function outputOf(args: readonly string[]): Promise<unknown> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
  const ended = once(child, "close")
  let output = ""
  for await (const piece of child.stdout) output += String(piece)
  await ended
  return JSON.parse(output)
}
