/** The servers themselves: that each answers, and that none outlives the tests. */

import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { buildSync } from "esbuild"
import { afterEach, describe, expect, onTestFinished, test } from "vitest"
import { describeServer, isRequired } from "./describe-server.ts"
import { findServer } from "./install.mjs"
import { type S3ServerName, startServer } from "./server.ts"
import { encodeKey, s3Request } from "./sign.ts"

const NAMES: readonly S3ServerName[] = ["rclone", "versitygw", "minio", "ceph", "s3rver", "fauxqs"]

for (const name of NAMES)
  describeServer(name, (server) => {
    test.each(["a.md", "d/b c.md", "d/ä+(1)'!.md"])("keeps an object called %s", async (key) => {
      const target = `/${server().bucket}/${encodeKey(key)}`
      expect(await s3Request(server(), { method: "PUT", target, body: key })).toMatchObject({ status: 200 })
      expect(await s3Request(server(), { method: "GET", target })).toMatchObject({ status: 200, text: key })
    })

    test("gives another bucket that is empty", async () => {
      const bucket = await server().newBucket()
      const listed = await s3Request(server(), { method: "GET", target: `/${bucket}?list-type=2` })
      expect(listed.status).toBe(200)
      expect(listed.text).not.toContain("<Contents>")
      expect(server().urlOf(bucket)).toBe(`s3://${bucket}?endpoint=${server().endpoint}&region=us-east-1`)
    })

    // The two that ignore conditions ignore signatures too.
    if (name === "fauxqs" || name === "s3rver") return
    test("refuses a wrong secret", async () => {
      const wrong = { ...server(), secretAccessKey: "wrong" }
      const target = `/${server().bucket}/secret.md`
      expect(await s3Request(wrong, { method: "PUT", target, body: "x" })).toMatchObject({ status: 403 })
    })
  })

describe.skipIf(findServer("versitygw").path === undefined)("a stopped server", () => {
  test("answers no more and leaves nothing behind", async () => {
    const server = await startServer("versitygw")
    await server.stop()
    expect(existsSync(server.root)).toBe(false)
    await expect(fetch(server.endpoint)).rejects.toThrow("fetch failed")
    expect(() => process.kill(server.pid, 0)).toThrow("ESRCH")
  })
})

test("a server dies with tests that are killed", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bm-servers-"))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const script = join(directory, "tests.mjs")
  // Tests in miniature: they start a process that would run for ever, say its id, and wait.
  const contents = [
    `import { startProcess } from "${join(import.meta.dirname, "process.ts")}"`,
    `const started = startProcess({ path: process.execPath, args: ["-e", "setInterval(() => {}, 1000)"], logPath: "${directory}/log" })`,
    "console.log(started.pid)",
    "setInterval(() => {}, 1000)",
  ].join("\n")
  const stdin = { contents, resolveDir: directory }
  buildSync({ stdin, bundle: true, platform: "node", format: "esm", outfile: script, logLevel: "error" })
  const tests = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] })
  const [line] = await once(createInterface(tests.stdout), "line")
  const pid = Number(line)
  expect(() => process.kill(pid, 0)).not.toThrow()
  tests.kill("SIGKILL")
  await once(tests, "exit")
  await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false)
})

describe("BM_REQUIRE", () => {
  const before = process.env["BM_REQUIRE"]
  afterEach(() => {
    if (before === undefined) delete process.env["BM_REQUIRE"]
    else process.env["BM_REQUIRE"] = before
  })

  test.each([
    { rule: "names parts, by commas", value: "git, ceph", isNamed: true },
    { rule: "names whole parts only", value: "ceph2,xceph", isNamed: false },
    { rule: "may be absent", value: "", isNamed: false },
  ])("$rule", ({ value, isNamed }) => {
    process.env["BM_REQUIRE"] = value
    expect(isRequired(["ceph"])).toBe(isNamed)
  })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
