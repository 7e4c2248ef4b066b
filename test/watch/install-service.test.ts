/** Installing and removing the service: what is written, what the manager is told, and when neither happens. */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { type InstallOptions, installService, uninstallService } from "../../src/watch/install-service.ts"
import type { Machine } from "../../src/watch/manager.ts"
import { runner, thisMachine } from "../../src/watch/this-machine.ts"
import { fakeLaunchd, fakeSystemd } from "./managers.ts"

let home: string
let unitFile: string
let plistFile: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "bm-home-"))
  unitFile = join(home, ".config/systemd/user/basic-memory-sync.service")
  plistFile = join(home, "Library/LaunchAgents/com.basicmemory.sync.plist")
})

afterEach(() => {
  rmSync(home, { recursive: true, force: true })
})

function optionsOf(machine: Machine, changed: Partial<InstallOptions> = {}): InstallOptions {
  return {
    machine,
    isDryRun: false,
    program: "/usr/bin/node",
    script: "/opt/bm/main.js",
    arguments: ["sync", "--watch"],
    stateRoot: join(home, ".basic-memory"),
    ...changed,
  }
}

const UNIT = "basic-memory-sync.service"
const LAUNCHD_TARGET = "gui/501/com.basicmemory.sync"

describe("with systemd", () => {
  test("writes the unit, lets it start at login, and starts it", async () => {
    const { machine, told, unit } = fakeSystemd({ home })
    const installed = await installService(optionsOf(machine))
    expect(installed).toMatchObject({
      ok: true,
      value: {
        action: "install",
        manager: "systemd-user",
        file: unitFile,
        isRunning: true,
        isChanged: true,
        linger: { isOn: false, user: "mira" },
      },
    })
    expect(told).toEqual([
      "systemctl --user daemon-reload",
      `systemctl --user enable ${UNIT}`,
      `systemctl --user restart ${UNIT}`,
    ])
    expect(unit).toMatchObject({ active: "active", isEnabled: true, loaded: readFileSync(unitFile, "utf8") })
    expect(unit.loaded).toContain('ExecStart="/usr/bin/node" "/opt/bm/main.js" "sync" "--watch"')
  })

  test("writes a file that systemd does not complain of, and nothing beside it", async () => {
    await installService(optionsOf(fakeSystemd({ home }).machine))
    expect(statSync(unitFile).mode & 0o777).toBe(0o644)
    expect(readdirSync(dirname(unitFile))).toEqual([UNIT])
  })

  test("changes nothing when it is done again", async () => {
    const { machine, told } = fakeSystemd({ home, linger: "yes" })
    await installService(optionsOf(machine))
    told.length = 0
    const { mtimeMs, ino } = statSync(unitFile)
    expect(await installService(optionsOf(machine))).toMatchObject({
      ok: true,
      value: { isChanged: false, isRunning: true, linger: { isOn: true } },
    })
    expect(told).toEqual([])
    expect(statSync(unitFile)).toMatchObject({ mtimeMs, ino })
  })

  test("replaces the unit of an earlier place, and what ran by it", async () => {
    const { machine, told, unit } = fakeSystemd({ home })
    await installService(optionsOf(machine))
    told.length = 0
    expect(await installService(optionsOf(machine, { script: "/new/main.js" }))).toMatchObject({
      ok: true,
      value: { isChanged: true, isRunning: true },
    })
    expect(told.at(-1)).toBe(`systemctl --user restart ${UNIT}`)
    expect(unit.loaded).toContain("/new/main.js")
  })

  test.each(["inactive", "failed"])("starts one that is %s without writing anything", async (active) => {
    const { machine, told, unit } = fakeSystemd({ home })
    await installService(optionsOf(machine))
    const { ino } = statSync(unitFile)
    told.length = 0
    unit.active = active
    expect(await installService(optionsOf(machine))).toMatchObject({
      ok: true,
      value: { isChanged: true, isRunning: true },
    })
    expect(told.at(-1)).toBe(`systemctl --user restart ${UNIT}`)
    expect(statSync(unitFile).ino).toBe(ino)
  })

  test("lets one start at login again that was disabled while it runs", async () => {
    const { machine, unit } = fakeSystemd({ home })
    await installService(optionsOf(machine))
    unit.isEnabled = false
    expect(await installService(optionsOf(machine))).toMatchObject({ ok: true, value: { isChanged: true } })
    expect(unit.isEnabled).toBe(true)
  })

  test("replaces what runs by an old text, where an install ended after it had written the new one", async () => {
    const { machine, told, unit } = fakeSystemd({ home })
    await installService(optionsOf(machine))
    told.length = 0
    unit.loaded = "the text before"
    expect(await installService(optionsOf(machine))).toMatchObject({ ok: true, value: { isChanged: true } })
    expect(told.at(-1)).toBe(`systemctl --user restart ${UNIT}`)
    expect(unit.loaded).toBe(readFileSync(unitFile, "utf8"))
  })

  test("says that it does not run where it is started again and again", async () => {
    const { machine, told, unit } = fakeSystemd({ home })
    await installService(optionsOf(machine))
    told.length = 0
    unit.active = "activating"
    expect(await installService(optionsOf(machine))).toMatchObject({
      ok: true,
      value: { isChanged: false, isRunning: false },
    })
    expect(told).toEqual([])
  })

  test.each(["daemon-reload", "enable", "restart"])(
    "a %s that fails is told, and the next try goes on from there",
    async (verb) => {
      const fake = fakeSystemd({ home })
      fake.fail = `systemctl --user ${verb}`
      const failed = await installService(optionsOf(fake.machine))
      expect(failed).toMatchObject({
        ok: false,
        error: { kind: "command_failed", code: 1, text: "it is not possible" },
      })
      expect(await installService(optionsOf(fake.machine))).toMatchObject({
        ok: true,
        value: { isChanged: true, isRunning: true },
      })
      expect(fake.unit).toMatchObject({ active: "active", isEnabled: true })
    },
  )

  test("a dry run shows the unit, writes nothing and tells nobody anything", async () => {
    const { machine, told } = fakeSystemd({ home })
    const shown = await installService(optionsOf(machine, { isDryRun: true }))
    expect(shown).toMatchObject({ ok: true, value: { isDryRun: true, isChanged: true, isRunning: false } })
    expect(readdirSync(home)).toEqual([])
    expect(told).toEqual([])
    await installService(optionsOf(machine))
    expect(shown).toMatchObject({ value: { text: readFileSync(unitFile, "utf8") } })
    expect(await installService(optionsOf(machine, { isDryRun: true }))).toMatchObject({
      ok: true,
      value: { isChanged: false, isRunning: true },
    })
  })

  test("goes where XDG_CONFIG_HOME says", async () => {
    const moved = join(home, "conf")
    const fake = fakeSystemd({
      home,
      environment: { XDG_CONFIG_HOME: moved },
      directory: join(moved, "systemd/user"),
    })
    expect(await installService(optionsOf(fake.machine))).toMatchObject({
      ok: true,
      value: { file: join(moved, "systemd/user", UNIT), isRunning: true },
    })
    expect(await uninstallService({ machine: fake.machine, isDryRun: false })).toMatchObject({
      ok: true,
      value: { isChanged: true },
    })
  })

  test("goes where the manager looks, if only this shell has another XDG_CONFIG_HOME", async () => {
    const fake = fakeSystemd({ home, environment: { XDG_CONFIG_HOME: join(home, "conf") } })
    expect(await installService(optionsOf(fake.machine))).toMatchObject({
      ok: true,
      value: { file: unitFile, isRunning: true },
    })
  })

  test("takes the place of a link and leaves what it leads to", async () => {
    const kept = join(home, "dotfiles")
    writeFileSync(kept, "mine")
    mkdirSync(dirname(unitFile), { recursive: true })
    symlinkSync(kept, unitFile)
    const { machine } = fakeSystemd({ home })
    await installService(optionsOf(machine))
    expect(readFileSync(kept, "utf8")).toBe("mine")
    expect(readFileSync(unitFile, "utf8")).toContain("ExecStart=")
  })

  test("a place that cannot be written is told before the manager is told anything", async () => {
    writeFileSync(join(home, ".config"), "in the way")
    const { machine, told } = fakeSystemd({ home })
    expect(await installService(optionsOf(machine))).toMatchObject({
      ok: false,
      error: { kind: "file_failed", file: unitFile },
    })
    expect(told).toEqual([])
  })

  test("what cannot be part of a unit is refused before anything is written", async () => {
    const { machine, told } = fakeSystemd({ home })
    expect(await installService(optionsOf(machine, { script: "main.js" }))).toEqual({
      ok: false,
      error: { kind: "unfit", what: "main.js", why: "not_absolute" },
    })
    expect(readdirSync(home)).toEqual([])
    expect(told).toEqual([])
  })

  test("names the secrets that the service does not see, and writes none", async () => {
    const { machine } = fakeSystemd({ home, environment: { AWS_ACCESS_KEY_ID: "s3cret" } })
    expect(await installService(optionsOf(machine))).toMatchObject({
      ok: true,
      value: { unseen: ["AWS_ACCESS_KEY_ID"] },
    })
    expect(readFileSync(unitFile, "utf8")).not.toContain("s3cret")
  })

  test("has no sandbox where rclone is a snap, which could not start in one", async () => {
    const { machine } = fakeSystemd({ home, marks: ["/snap/bin/rclone"] })
    await installService(optionsOf(machine))
    expect(readFileSync(unitFile, "utf8")).not.toContain("NoNewPrivileges")
  })

  test("uses what this systemd can do", async () => {
    await installService(optionsOf(fakeSystemd({ home, version: "252.38-1~deb12u1" }).machine))
    expect(readFileSync(unitFile, "utf8")).not.toContain("RestartSteps")
    await installService(optionsOf(fakeSystemd({ home, version: "254" }).machine))
    expect(readFileSync(unitFile, "utf8")).toContain("RestartSteps")
  })
})

describe("removing it from systemd", () => {
  test("stops it, lets it start no more, and removes the file", async () => {
    const { machine, told, unit } = fakeSystemd({ home })
    await installService(optionsOf(machine))
    told.length = 0
    expect(await uninstallService({ machine, isDryRun: false })).toMatchObject({
      ok: true,
      value: { action: "uninstall", file: unitFile, isRunning: false, isChanged: true },
    })
    expect(told).toEqual([
      `systemctl --user stop ${UNIT}`,
      `systemctl --user disable ${UNIT}`,
      "systemctl --user daemon-reload",
      `systemctl --user reset-failed ${UNIT}`,
    ])
    expect(existsSync(unitFile)).toBe(false)
    expect(unit).toEqual({ active: "inactive", isEnabled: false, loaded: undefined })
  })

  test("is fine when nothing is there, and tells nobody anything", async () => {
    const { machine, told } = fakeSystemd({ home })
    expect(await uninstallService({ machine, isDryRun: false })).toMatchObject({
      ok: true,
      value: { isChanged: false, isRunning: false },
    })
    expect(told).toEqual([])
  })

  test.each(["active", "inactive"])(
    "forgets one that is %s and whose file is gone already",
    async (active) => {
      const { machine, unit } = fakeSystemd({ home })
      await installService(optionsOf(machine))
      rmSync(unitFile)
      unit.active = active
      expect(await uninstallService({ machine, isDryRun: false })).toMatchObject({
        ok: true,
        value: { isChanged: true },
      })
      expect(unit).toMatchObject({ active: "inactive", loaded: undefined })
    },
  )

  test("a dry run only says what there is", async () => {
    const { machine, told } = fakeSystemd({ home })
    await installService(optionsOf(machine))
    told.length = 0
    expect(await uninstallService({ machine, isDryRun: true })).toMatchObject({
      ok: true,
      value: { isDryRun: true, isChanged: true, isRunning: true },
    })
    expect(existsSync(unitFile)).toBe(true)
    expect(told).toEqual([])
  })

  test.each(["stop", "disable"])(
    "a %s that fails is told, and the file stays for the next try",
    async (verb) => {
      const fake = fakeSystemd({ home })
      await installService(optionsOf(fake.machine))
      fake.fail = `systemctl --user ${verb}`
      const uninstall = { machine: fake.machine, isDryRun: false }
      expect(await uninstallService(uninstall)).toMatchObject({
        ok: false,
        error: { kind: "command_failed", command: `systemctl --user ${verb} ${UNIT}` },
      })
      expect(existsSync(unitFile)).toBe(true)
      expect(await uninstallService(uninstall)).toMatchObject({ ok: true, value: { isChanged: true } })
      expect(existsSync(unitFile)).toBe(false)
    },
  )
})

describe("where it must not be", () => {
  const containers = [
    { rule: "/.dockerenv", marks: ["/.dockerenv"], environment: {} },
    { rule: "/run/.containerenv", marks: ["/run/.containerenv"], environment: {} },
    { rule: "container= in the environment", marks: [], environment: { container: "podman" } },
  ] as const

  test.each(containers)(
    "a container ($rule) is refused, and no program is run",
    async ({ marks, environment }) => {
      for (const fake of [
        fakeSystemd({ home, marks, environment }),
        fakeLaunchd({ home, marks, environment }),
      ]) {
        expect(await installService(optionsOf(fake.machine))).toEqual({
          ok: false,
          error: { kind: "container" },
        })
        expect(fake.asked).toEqual([])
      }
      expect(readdirSync(home)).toEqual([])
    },
  )

  test("a dry run in a container shows what would be written, and that it would be refused", async () => {
    const { machine, asked } = fakeSystemd({ home, marks: ["/.dockerenv"] })
    const shown = await installService(optionsOf(machine, { isDryRun: true }))
    expect(shown).toMatchObject({
      ok: true,
      value: { file: unitFile, text: expect.stringContaining("ExecStart="), refusal: { kind: "container" } },
    })
    expect(asked).toEqual([])
  })

  test("in a container there is nothing to remove, unless a file is there", async () => {
    const { machine } = fakeSystemd({ home, marks: ["/.dockerenv"] })
    expect(await uninstallService({ machine, isDryRun: false })).toMatchObject({
      ok: true,
      value: { isChanged: false },
    })
    mkdirSync(dirname(unitFile), { recursive: true })
    writeFileSync(unitFile, "")
    expect(await uninstallService({ machine, isDryRun: false })).toEqual({
      ok: false,
      error: { kind: "container" },
    })
    expect(existsSync(unitFile)).toBe(true)
  })

  test.each([
    { rule: "no systemctl", ran: { code: 127, text: "systemctl: not found" } },
    { rule: "no session of this user", ran: { code: 1, text: "Failed to connect to bus: No medium found" } },
  ])("Linux with $rule is refused, with what was said", async ({ ran }) => {
    const machine = { ...fakeSystemd({ home }).machine, run: async () => ran }
    expect(await installService(optionsOf(machine))).toEqual({
      ok: false,
      error: { kind: "no_manager", platform: "linux", text: ran.text },
    })
    expect(readdirSync(home)).toEqual([])
  })

  test("a Mac where nobody is logged in at the desktop is refused", async () => {
    const ran = { code: 125, text: "Domain does not support specified action" }
    const machine = { ...fakeLaunchd({ home }).machine, run: async () => ran }
    expect(await installService(optionsOf(machine))).toEqual({
      ok: false,
      error: { kind: "no_manager", platform: "darwin", text: ran.text },
    })
    expect(readdirSync(home)).toEqual([])
  })

  test("another system is refused, a dry run too", async () => {
    const machine: Machine = { ...fakeSystemd({ home }).machine, platform: "win32" }
    const refused = { ok: false, error: { kind: "no_manager", platform: "win32" } }
    expect(await installService(optionsOf(machine))).toEqual(refused)
    expect(await installService(optionsOf(machine, { isDryRun: true }))).toEqual(refused)
    expect(await uninstallService({ machine, isDryRun: false })).toEqual(refused)
  })
})

describe("with launchd", () => {
  test("writes the property list and loads it for whoever is logged in", async () => {
    const { machine, told, service } = fakeLaunchd({ home })
    const installed = await installService(optionsOf(machine))
    expect(installed).toMatchObject({
      ok: true,
      value: {
        manager: "launchd",
        file: plistFile,
        isRunning: true,
        isChanged: true,
        logFile: join(home, "Library/Logs/basic-memory-sync.log"),
      },
    })
    expect(installed).not.toHaveProperty("value.linger")
    expect(told).toEqual([`launchctl enable ${LAUNCHD_TARGET}`, `launchctl bootstrap gui/501 ${plistFile}`])
    expect(service.loaded).toBe(readFileSync(plistFile, "utf8"))
    expect(statSync(plistFile).mode & 0o777).toBe(0o644)
    expect(readdirSync(dirname(plistFile))).toEqual(["com.basicmemory.sync.plist"])
  })

  test("changes nothing when it is done again", async () => {
    const { machine, told } = fakeLaunchd({ home })
    await installService(optionsOf(machine))
    told.length = 0
    expect(await installService(optionsOf(machine))).toMatchObject({
      ok: true,
      value: { isChanged: false, isRunning: true },
    })
    expect(told).toEqual([])
  })

  test("replaces what is loaded, after that has ended", async () => {
    const { machine, told, service } = fakeLaunchd({ home })
    await installService(optionsOf(machine))
    told.length = 0
    expect(await installService(optionsOf(machine, { script: "/new/main.js" }))).toMatchObject({
      ok: true,
      value: { isChanged: true, isRunning: true },
    })
    expect(told).toEqual([
      `launchctl bootout ${LAUNCHD_TARGET}`,
      `launchctl enable ${LAUNCHD_TARGET}`,
      `launchctl bootstrap gui/501 ${plistFile}`,
    ])
    expect(service.loaded).toContain("/new/main.js")
  })

  test("starts one that is loaded and does not run", async () => {
    const { machine, told, service } = fakeLaunchd({ home })
    await installService(optionsOf(machine))
    told.length = 0
    service.isRunning = false
    expect(await installService(optionsOf(machine))).toMatchObject({
      ok: true,
      value: { isChanged: true, isRunning: true },
    })
    expect(told).toEqual([`launchctl kickstart ${LAUNCHD_TARGET}`])
  })

  test("loads again what is said to be still unloading, and gives up at last", async () => {
    const { machine } = fakeLaunchd({ home })
    let refusals = 3
    const slow: Machine = {
      ...machine,
      run: async (program, args) =>
        args[0] === "bootstrap" && refusals-- > 0
          ? { code: 5, text: "Input/output error" }
          : machine.run(program, args),
    }
    expect(await installService(optionsOf(slow))).toMatchObject({ ok: true, value: { isRunning: true } })
    await uninstallService({ machine, isDryRun: false })
    refusals = Number.POSITIVE_INFINITY
    expect(await installService(optionsOf(slow))).toMatchObject({
      ok: false,
      error: { kind: "command_failed", code: 5, text: "Input/output error" },
    })
  })

  test("tells at once what does not pass", async () => {
    const fake = fakeLaunchd({ home })
    fake.fail = "launchctl bootstrap"
    expect(await installService(optionsOf(fake.machine))).toMatchObject({
      ok: false,
      error: { kind: "command_failed", code: 1 },
    })
    expect(fake.told.filter((line) => line.startsWith("launchctl bootstrap"))).toHaveLength(1)
  })

  test("unloads it, waits until it has ended, and removes the file", async () => {
    const { machine, service } = fakeLaunchd({ home })
    await installService(optionsOf(machine))
    expect(await uninstallService({ machine, isDryRun: false })).toMatchObject({
      ok: true,
      value: { isChanged: true, isRunning: false },
    })
    expect(service.loaded).toBeUndefined()
    expect(existsSync(plistFile)).toBe(false)
    expect(await uninstallService({ machine, isDryRun: false })).toMatchObject({
      ok: true,
      value: { isChanged: false },
    })
  })

  test("keeps the file of one that cannot be unloaded", async () => {
    const fake = fakeLaunchd({ home })
    await installService(optionsOf(fake.machine))
    fake.fail = "launchctl bootout"
    expect(await uninstallService({ machine: fake.machine, isDryRun: false })).toMatchObject({
      ok: false,
      error: { kind: "command_failed", command: `launchctl bootout ${LAUNCHD_TARGET}` },
    })
    expect(existsSync(plistFile)).toBe(true)
  })
})

describe("this machine", () => {
  const environment = {
    PATH: `.:${process.env.PATH}`,
    HOME: "/home/mira",
    XDG_RUNTIME_DIR: "/run/user/501",
    AWS_SECRET_ACCESS_KEY: "s3cret",
    LANG: "de_DE.UTF-8",
  }

  test("runs a program without a shell, without input and without secrets", async () => {
    const script =
      "process.stdin.on('end', () => console.log(JSON.stringify([process.argv.slice(1), process.env]))).resume()"
    const { code, text } = await runner(environment)(process.execPath, ["-e", script, "$HOME", "a b;c"])
    expect(code).toBe(0)
    const [args, env] = JSON.parse(text)
    expect(args).toEqual(["$HOME", "a b;c"])
    expect(env).toMatchObject({ HOME: "/home/mira", XDG_RUNTIME_DIR: "/run/user/501", LC_ALL: "C" })
    expect(env.PATH).toBe(process.env.PATH)
    expect(JSON.stringify(env)).not.toContain("s3cret")
  })

  test("tells the code and both streams of one that fails", async () => {
    const script = "console.log('one'); console.error('two'); process.exit(7)"
    expect(await runner(environment)(process.execPath, ["-e", script])).toEqual({ code: 7, text: "one\ntwo" })
  })

  test("tells that a program is not there", async () => {
    expect(await runner(environment)("bm-no-such-program", [])).toMatchObject({ code: 127 })
  })

  test("sees a link that leads nowhere, and nothing below a file", () => {
    const { isThere } = thisMachine({ environment, home })
    symlinkSync(join(home, "nowhere"), join(home, "link"))
    writeFileSync(join(home, "file"), "")
    expect(isThere(join(home, "link"))).toBe(true)
    expect(isThere(join(home, "file/below"))).toBe(false)
    expect(isThere(join(home, "nowhere"))).toBe(false)
  })
})
