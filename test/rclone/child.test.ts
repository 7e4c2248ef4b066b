/** The rclone that we start: it answers nobody but us, tells nobody our secrets, and lives no longer than we do. */

import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { build } from "esbuild"
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest"
import { type RcloneChild, startChild } from "../../src/rclone/child.ts"
import { must } from "../backend/bucket-storage.ts"
import { environmentOf, hasProc, listeningOf, processes } from "../process/processes.ts"
import { describeEachRclone } from "./real-rclone.ts"
import { until } from "./until.ts"

const START_MS_MAX = 1_000

let directory = ""
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bm-child-"))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

describeEachRclone((rclone) => {
  let child: RcloneChild | undefined
  afterEach(() => child?.stop())
  const start = async (environment: Readonly<Record<string, string>> = {}): Promise<RcloneChild> => {
    child = await must(startChild({ program: rclone.path, environment: environmentWith(environment) }))
    return child
  }

  test("answers whoever knows its password, and nobody else", async () => {
    const { port, user, password } = await start()
    expect(await statusOf(port)).toBe(401)
    expect(await statusOf(port, `${user}:`)).toBe(401)
    expect(await statusOf(port, `:${password}`)).toBe(401)
    expect(await statusOf(port, `${user}:${password}x`)).toBe(401)
    expect(await statusOf(port, `${user}:${password}`)).toBe(200)
    const other = await must(startChild({ program: rclone.path, environment: environmentWith() }))
    expect(await statusOf(port, `${other.user}:${other.password}`)).toBe(401)
    other.stop()
  })

  test.runIf(hasProc)("listens on loopback only", async () => {
    const { pid, port } = await start()
    const at = listeningOf(pid)
    expect(at.map((each) => each.port)).toEqual([port])
    // As the kernel writes 127.0.0.1.
    expect(at.map(({ address }) => address)).toEqual(["0100007F"])
  })

  test.runIf(hasProc)(
    "shows no secret to those who list processes, nor those that it does not need",
    async () => {
      const { pid, user, password } = await start({ RCLONE_CONFIG_PASS: "conf-secret", MARK: directory })
      const family = familyIn(user)
      expect(family).toContain(pid)
      for (const each of family) {
        const words = processes().get(each)?.join(" ") ?? ""
        for (const secret of [password, user, "conf-secret"]) expect(words).not.toContain(secret)
      }
      const environment = environmentOf(pid)
      expect(environment.get("MARK")).toBe(directory)
      // Ours has more than what was handed on; shells add the like of PWD.
      const added = [...environment.keys()].filter((name) => !(name in environmentWith()))
      expect(added.filter((name) => name in process.env && !/^(_|PWD|OLDPWD|SHLVL)$/.test(name))).toEqual([])
    },
  )

  test.runIf(hasProc)("ends with all that it started when it is stopped", async () => {
    const { user, pid, stop, isAlive } = await start()
    expect(isAlive()).toBe(true)
    expect(processes().get(pid)?.[0]).toBe(rclone.path)
    stop()
    await until(() => familyIn(user).length === 0)
    await until(() => !isAlive())
    // Once more harms nobody.
    stop()
  })

  test.runIf(hasProc)("leaves nobody behind when it is killed", async () => {
    const { user, pid, isAlive } = await start()
    process.kill(pid, "SIGKILL")
    await until(() => !isAlive())
    await until(() => familyIn(user).length === 0)
  })

  describe.runIf(hasProc)("of another process", () => {
    const startParent = async (after: string): Promise<{ parent: ChildProcess; user: string }> => {
      const script = await parentScript(after)
      const parent = spawn(process.execPath, [script, rclone.path], {
        env: environmentWith(),
        stdio: ["ignore", "pipe", "inherit"],
      })
      onTestFinished(() => void parent.kill("SIGKILL"))
      const [said] = await once(parent.stdout ?? parent, "data")
      return { parent, user: String(said).trim() }
    }

    test("ends when that process is killed", async () => {
      const { parent, user } = await startParent("setInterval(() => {}, 1000)")
      expect(familyIn(user).length).toBeGreaterThan(0)
      parent.kill("SIGKILL")
      await until(() => familyIn(user).length === 0)
    })

    test("ends when that process throws", async () => {
      const { parent, user } = await startParent("setTimeout(() => process.exit(7), 1)")
      expect((await exitOf(parent))[0]).toBe(7)
      await until(() => familyIn(user).length === 0)
    })

    test("does not keep that process from ending by itself, though it was not stopped", async () => {
      const { parent, user } = await startParent("")
      expect(await exitOf(parent)).toEqual([0, null])
      await until(() => familyIn(user).length === 0)
    })
  })
})

describe("what does not become an rclone that answers", () => {
  const script = (text: string, mode = 0o755): string => {
    const path = join(directory, "rclone")
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }

  test.each<readonly [string, () => string, RegExp]>([
    ["a program that is not there", () => join(directory, "none"), /^rclone ended with 127: .*not found/],
    [
      "a file that is no program",
      () => script("text", 0o644),
      /^rclone ended with 126: .*[Pp]ermission denied/,
    ],
    ["a directory", () => directory, /^rclone ended with 126: /],
    ["a program that ends at once", () => script("#!/bin/sh\nexit 0\n"), /^rclone ended with 0: $/],
    [
      "one that says why it ends",
      () =>
        script("#!/bin/sh\necho first >&2\necho '2026/01/02 03:04:05 Fatal error: no luck' >&2\nexit 1\n"),
      /^rclone ended with 1: Fatal error: no luck$/,
    ],
    [
      "one that says more than anybody wants to read",
      () => script("#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' x >&2\nexit 2\n"),
      /^rclone ended with 2: x{200}$/,
    ],
    ["one that is killed", () => script("#!/bin/sh\nkill -9 $$\n"), /^rclone ended with a signal: $/],
    [
      "one that says it on its standard output",
      () => script("#!/bin/sh\necho 'Serving remote control on http://127.0.0.1:1/'\nexit 3\n"),
      /^rclone ended with 3: $/,
    ],
    [
      "one that listens for everybody",
      () => script("#!/bin/sh\necho 'Serving remote control on http://0.0.0.0:1/' >&2\nexit 4\n"),
      /^rclone ended with 4: /,
    ],
  ])("is %s", async (_, program, detail) => {
    const started = await startChild({ program: program(), environment: environmentWith() })
    expect(started).toMatchObject({ ok: false, error: { kind: "unreachable", via: "rclone" } })
    expect(started.ok ? "" : started.error.detail).toMatch(detail)
  })

  test.runIf(hasProc)("is one that says nothing, and it is ended", async () => {
    const program = script("#!/bin/sh\nexec tail -f /dev/null\n")
    const environment = environmentWith({ MARK: directory })
    const started = await startChild({ program, environment, startMsMax: START_MS_MAX })
    expect(started).toMatchObject({ ok: false, error: { detail: "rclone did not start in time" } })
    await until(() => familyWith("MARK", directory).length === 0)
  })
})

function environmentWith(more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return { PATH: process.env["PATH"] ?? "", HOME: directory, ...more }
}

/** Starts an rclone, says its user, and goes on with what is handed in. */
async function parentScript(after: string): Promise<string> {
  const source = join(import.meta.dirname, "../../src/rclone/child.ts")
  const outfile = join(directory, "child.mjs")
  await build({ entryPoints: [source], outfile, bundle: true, platform: "node", format: "esm" })
  const script = join(directory, "parent.mjs")
  writeFileSync(
    script,
    `import { startChild } from "./child.mjs"
const { PATH, HOME } = process.env
const child = await startChild({ program: process.argv[2], environment: { PATH, HOME } })
process.stdout.write(child.value.user + "\\n")
${after}
`,
  )
  return script
}

async function statusOf(port: number, credentials?: string): Promise<number> {
  const headers: Record<string, string> =
    credentials === undefined ? {} : { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` }
  const answer = await fetch(`http://127.0.0.1:${port}/core/pid`, { method: "POST", headers })
  await answer.arrayBuffer()
  return answer.status
}

/** Whoever was started with this user of an rclone: that rclone, and who watches over it. */
function familyIn(user: string): readonly number[] {
  return familyWith("RCLONE_RC_USER", user)
}

function familyWith(name: string, value: string): readonly number[] {
  return [...processes().keys()].filter((pid) => environmentOf(pid).get(name) === value)
}

async function exitOf(parent: ChildProcess): Promise<readonly unknown[]> {
  return parent.exitCode === null && parent.signalCode === null
    ? once(parent, "exit")
    : [parent.exitCode, parent.signalCode]
}
