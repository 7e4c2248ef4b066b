/** The service files, as the managers themselves read them: systemd where it is at hand, and Python's reader of property lists. */

import { spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import {
  launchdPlist,
  type ServiceSpec,
  startedBy,
  systemdUnit,
  unseenSecrets,
  watchArguments,
} from "../../src/watch/service.ts"

const SPEC: ServiceSpec = {
  program: "/usr/bin/node",
  script: "/opt/bm/main.js",
  arguments: ["sync", "--watch"],
  environment: { PATH: "/usr/bin:/bin" },
  stateRoot: "/home/mira/.basic-memory",
}
const LOG = "/Users/mira/Library/Logs/basic-memory-sync.log"

function unitOf(spec: ServiceSpec, at: { version?: number; isSandboxed?: boolean } = {}): string {
  const unit = systemdUnit(spec, { version: at.version, isSandboxed: at.isSandboxed ?? true })
  return unit.ok ? unit.value : `unfit: ${unit.error.what}`
}

function plistOf(spec: ServiceSpec): string {
  const plist = launchdPlist(spec, LOG)
  return plist.ok ? plist.value : `unfit: ${plist.error.what}`
}

/** The values of a setting, in their order. */
function settings(unit: string, name: string): readonly string[] {
  return unit
    .split("\n")
    .flatMap((line) => (line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : []))
}

describe("the command", () => {
  test("is the program, its script and the words of a watch", () => {
    expect(settings(unitOf(SPEC), "ExecStart")).toEqual([
      '"/usr/bin/node" "/opt/bm/main.js" "sync" "--watch"',
    ])
  })

  test.each([
    { rule: "keeps spaces in a word", word: "/a b", quoted: '"/a b"' },
    { rule: "doubles what begins a specifier", word: "/100%h", quoted: '"/100%%h"' },
    { rule: "doubles what begins a variable", word: "/$HOME/${X}", quoted: '"/$$HOME/$${X}"' },
    { rule: "escapes double quotes", word: '/a"b', quoted: '"/a\\"b"' },
    { rule: "leaves single quotes", word: "/it's", quoted: `"/it's"` },
    { rule: "escapes backslashes", word: "/a\\nb\\", quoted: '"/a\\\\nb\\\\"' },
    { rule: "leaves letters of any language", word: "/заметки/☃", quoted: '"/заметки/☃"' },
    { rule: "takes a semicolon for a word", word: "/;", quoted: '"/;"' },
  ])("$rule", ({ word, quoted }) => {
    expect(settings(unitOf({ ...SPEC, script: word }), "ExecStart")).toEqual([
      `"/usr/bin/node" ${quoted} "sync" "--watch"`,
    ])
  })

  test("does not double a dollar in the path of the program, where it is no variable", () => {
    expect(settings(unitOf({ ...SPEC, program: "/a$b/100%" }), "ExecStart")[0]).toMatch(/^"\/a\$b\/100%%" /)
  })

  test("names an interval and a project only where they are given", () => {
    expect(watchArguments({})).toEqual(["sync", "--watch"])
    expect(watchArguments({ intervalS: 30, project: "my notes" })).toEqual([
      "sync",
      "--watch",
      "--interval=30",
      "--project=my notes",
    ])
  })
})

describe("what cannot be written so that it is read the same is refused", () => {
  const rows: readonly { rule: string; spec: Partial<ServiceSpec>; why: string; isForSystemdOnly?: true }[] =
    [
      { rule: "a relative program", spec: { program: "node" }, why: "not_absolute" },
      { rule: "a relative script", spec: { script: "./main.js" }, why: "not_absolute" },
      { rule: "a relative state root", spec: { stateRoot: ".basic-memory" }, why: "not_absolute" },
      { rule: "a line break in a path", spec: { script: "/a\nExecStartPre=/b" }, why: "control_character" },
      { rule: "a line break in a word", spec: { arguments: ["sync", "a\nb"] }, why: "control_character" },
      { rule: "half a character", spec: { script: "/a\ud800" }, why: "control_character" },
      {
        rule: "a line break in a host",
        spec: { environment: { BASIC_MEMORY_CLOUD_HOST: "https://a\nb" } },
        why: "control_character",
      },
      {
        rule: "a password in a host",
        spec: { environment: { BASIC_MEMORY_API_URL: "https://mira:pass@cloud.example" } },
        why: "secret",
      },
      {
        rule: "a token in a host",
        spec: { environment: { BASIC_MEMORY_CLOUD_HOST: "https://cloud.example/?token=1" } },
        why: "secret",
      },
      {
        rule: "quotes in the path of a program, which systemd does not start",
        spec: { program: '/a"b/node' },
        why: "special_character",
        isForSystemdOnly: true,
      },
      {
        rule: "backslashes in the path of a program, which systemd does not start",
        spec: { program: "/a\\b/node" },
        why: "special_character",
        isForSystemdOnly: true,
      },
    ]

  test.each(rows)("$rule", ({ spec, why, isForSystemdOnly = false }) => {
    const whole = { ...SPEC, ...spec }
    expect(systemdUnit(whole, { version: 252, isSandboxed: true })).toMatchObject({
      ok: false,
      error: { why },
    })
    expect(launchdPlist(whole, LOG).ok).toBe(isForSystemdOnly)
  })

  test("and a secret is not repeated in the refusal", () => {
    const environment = { BASIC_MEMORY_API_URL: "https://mira:hunter2@cloud.example" }
    expect(
      JSON.stringify(systemdUnit({ ...SPEC, environment }, { version: 252, isSandboxed: true })),
    ).not.toContain("hunter2")
  })
})

describe("the environment", () => {
  test("says where things are, and that this is a service", () => {
    const environment = {
      PATH: "/usr/local/bin:/usr/bin",
      BASIC_MEMORY_CONFIG_DIR: "./moved",
      BASIC_MEMORY_API_URL: "https://api.example",
      BASIC_MEMORY_CLOUD_HOST: "https://cloud.example",
      RCLONE_CONFIG: "/home/mira/rclone.conf",
      XDG_CONFIG_HOME: "/home/mira/conf 100%",
    }
    const unit = unitOf({ ...SPEC, environment, stateRoot: "/home/mira/moved" })
    expect(settings(unit, "Environment")).toEqual([
      '"PATH=/usr/local/bin:/usr/bin"',
      '"BASIC_MEMORY_CONFIG_DIR=/home/mira/moved"',
      '"RCLONE_CONFIG=/home/mira/rclone.conf"',
      '"XDG_CONFIG_HOME=/home/mira/conf 100%%"',
      '"BASIC_MEMORY_API_URL=https://api.example"',
      '"BASIC_MEMORY_CLOUD_HOST=https://cloud.example"',
      '"BASIC_MEMORY_SERVICE=systemd-user"',
    ])
  })

  test("says nothing of what is not set, is empty, or would mean another place", () => {
    const environment = {
      BASIC_MEMORY_CONFIG_DIR: "",
      BASIC_MEMORY_API_URL: "",
      RCLONE_CONFIG: "rclone.conf",
    }
    expect(settings(unitOf({ ...SPEC, environment }), "Environment")).toEqual([
      '"BASIC_MEMORY_SERVICE=systemd-user"',
    ])
  })

  test("has each whole directory of PATH once, and no other", () => {
    const environment = { PATH: "/usr/bin::.:node_modules/.bin:/a$b:/usr/bin:/bad\nline:/c d" }
    expect(settings(unitOf({ ...SPEC, environment }), "Environment")[0]).toBe('"PATH=/usr/bin:/a$b:/c d"')
  })

  test("has no secret, whatever the shell has", () => {
    const environment = {
      ...SPEC.environment,
      AWS_ACCESS_KEY_ID: "s3cret-1",
      AWS_SECRET_ACCESS_KEY: "s3cret-2",
      AWS_SESSION_TOKEN: "s3cret-3",
      RCLONE_CONFIG_PASS: "s3cret-4",
      BASIC_MEMORY_TOKEN: "s3cret-5",
    }
    const spec = { ...SPEC, environment }
    expect(unitOf(spec)).toBe(unitOf(SPEC))
    expect(plistOf(spec)).toBe(plistOf(SPEC))
    expect(unseenSecrets(environment)).toEqual(["AWS_ACCESS_KEY_ID", "RCLONE_CONFIG_PASS"])
  })

  test("tells a watcher who started it", () => {
    expect(startedBy({ BASIC_MEMORY_SERVICE: "systemd-user" })).toBe("systemd-user")
    expect(startedBy({ BASIC_MEMORY_SERVICE: "launchd" })).toBe("launchd")
    expect(startedBy({ BASIC_MEMORY_SERVICE: "something" })).toBeUndefined()
    expect(startedBy({})).toBeUndefined()
  })
})

describe("the unit", () => {
  test("is started again after a failure, later and later where systemd can, and never given up", () => {
    const steps = ["RestartSec=5", "RestartSteps=6", "RestartMaxDelaySec=300"]
    for (const version of [254, 260])
      expect(unitOf(SPEC, { version }).split("\n")).toEqual(expect.arrayContaining(steps))
    for (const version of [undefined, 253]) {
      const unit = unitOf(SPEC, version === undefined ? {} : { version })
      expect(settings(unit, "RestartSec")).toEqual(["30"])
      expect(unit).not.toContain("RestartSteps")
    }
    expect(settings(unitOf(SPEC), "Restart")).toEqual(["on-failure"])
    expect(settings(unitOf(SPEC), "StartLimitIntervalSec")).toEqual(["0"])
  })

  test("has a sandbox that needs no namespace, and none where one of its programs must gain privileges", () => {
    const unit = unitOf(SPEC)
    expect(settings(unit, "NoNewPrivileges")).toEqual(["yes"])
    expect(unit).not.toMatch(/^(?:Protect|Private|ReadOnly|Inaccessible|MemoryDeny)/m)
    expect(unitOf(SPEC, { isSandboxed: false })).not.toMatch(/^(?:NoNew|Lock|Restrict(?:Real|SUID))/m)
  })
})

/** Undoes quotes by the rules of systemd.syntax(7), specifiers and variables, independently of what made them. */
function unquote(text: string, isCommand: boolean): readonly string[] {
  const words: string[] = []
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] !== '"') throw new Error(`no quote at ${at}`)
    let word = ""
    for (at += 1; text[at] !== '"'; at += 1) {
      const two = text.slice(at, at + 2)
      if (text[at] === undefined) throw new Error("no end")
      if (
        two === '\\"' ||
        two === "\\\\" ||
        two === "%%" ||
        (two === "$$" && isCommand && words.length > 0)
      ) {
        word += two[1]
        at += 1
      } else if (
        text[at] === "\\" ||
        text[at] === "%" ||
        (text[at] === "$" && isCommand && words.length > 0)
      ) {
        throw new Error(`something special at ${at}`)
      } else word += text[at]
    }
    words.push(word)
    at += 1
    if (at < text.length && text[at] !== " ") throw new Error(`no space at ${at}`)
  }
  return words
}

const hostile = fc
  .string({ unit: "grapheme", maxLength: 12 })
  .filter((text) => !/[\p{Cc}\p{Cs}\ufffe\uffff]/u.test(text))
const special = fc.string({ unit: fc.constantFrom(..."\"'\\%$ ;{}=#a/☃"), maxLength: 12 })
const word = fc.oneof(hostile, special)

test("any word comes out of the unit as it went in", () => {
  fc.assert(
    fc.property(word, word, word, (script, argument, directory) => {
      const spec = {
        ...SPEC,
        script: `/${script}`,
        arguments: [argument],
        environment: { PATH: `/${directory.replaceAll(":", "")}` },
      }
      const unit = unitOf(spec)
      expect(unquote(settings(unit, "ExecStart")[0] ?? "", true)).toEqual([
        spec.program,
        spec.script,
        argument,
      ])
      expect(unquote(settings(unit, "Environment")[0] ?? "", false)).toEqual([
        `PATH=${spec.environment.PATH}`,
      ])
    }),
  )
})

const systemd = spawnSync("systemd-analyze", ["--version"], { encoding: "utf8" })
const systemdVersion = Number(/^systemd (\d+)/.exec(systemd.stdout ?? "")?.[1] ?? Number.NaN)
const hasPython = spawnSync("python3", ["-c", "import plistlib"]).status === 0

const ODD = [
  "a b",
  "100%h %% %",
  "$HOME ${PATH} $$",
  'say "hi"',
  "it's",
  "back\\slash\\n\\",
  "ноты ☃ 𝄞",
  "; | & > #",
  "=",
  "{}",
]

let directory: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "bm service-"))
})

afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

function programAt(path: string): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, "#!/bin/sh\n")
  chmodSync(path, 0o755)
  return path
}

function verify(unit: string, logLevel: string) {
  const file = join(directory, "basic-memory-sync.service")
  writeFileSync(file, unit)
  const env = {
    PATH: process.env.PATH,
    HOME: directory,
    XDG_RUNTIME_DIR: directory,
    SYSTEMD_LOG_LEVEL: logLevel,
  }
  const ran = spawnSync("systemd-analyze", ["verify", "--user", "--man=no", file], { env, encoding: "utf8" })
  return { status: ran.status, text: `${ran.stdout}${ran.stderr}` }
}

describe.skipIf(Number.isNaN(systemdVersion))("systemd itself", () => {
  const spec = () => ({
    ...SPEC,
    program: programAt(join(directory, "a b $c 100% ☃", "node")),
    arguments: ["sync", ...ODD],
    environment: { PATH: ODD.map((name) => `/${name}`).join(":") },
  })

  test.each([true, false])("has nothing to say against the unit (sandboxed: %s)", (isSandboxed) => {
    expect(verify(unitOf(spec(), { version: systemdVersion, isSandboxed }), "info")).toEqual({
      status: 0,
      text: "",
    })
  })

  test("reads the words that were meant", () => {
    const { text } = verify(unitOf(spec(), { version: systemdVersion }), "debug")
    const [, command = ""] = /^\s*Command Line: (.*)$/m.exec(text) ?? []
    const [program, ...args] = shellWords(command)
    // It undoes the doubling of dollars when it starts the command.
    expect([program, ...args.map((arg) => arg.replaceAll("$$", "$"))]).toEqual([
      spec().program,
      SPEC.script,
      ...spec().arguments,
    ])
    expect(text).toContain(`Environment: PATH=${spec().environment.PATH}\n`)
  })

  test("starts no program with quotes in its path, which is why that is refused", () => {
    const program = programAt(join(directory, "it's", "node"))
    const unit = unitOf(SPEC, { version: systemdVersion }).replace("/usr/bin/node", program)
    expect(verify(unit, "info").status).not.toBe(0)
  })
})

/** As its dump writes them: bare, or in double quotes with backslashes. */
function shellWords(text: string): readonly string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    ([, quoted, bare]) => bare ?? (quoted ?? "").replace(/\\(.)/g, "$1"),
  )
}

describe.skipIf(!hasPython)("a reader of property lists", () => {
  const read = (plist: string): unknown => {
    const script = "import json,plistlib,sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))"
    const ran = spawnSync("python3", ["-c", script], { input: plist, encoding: "utf8" })
    return JSON.parse(ran.stdout)
  }

  test("reads what was meant", () => {
    const spec = {
      ...SPEC,
      script: "/opt/<b>&amp;/'main'.js",
      arguments: ["sync", ...ODD],
      environment: { PATH: ODD.map((name) => `/${name}`).join(":"), BASIC_MEMORY_CONFIG_DIR: "here" },
    }
    expect(read(plistOf(spec))).toEqual({
      Label: "com.basicmemory.sync",
      ProgramArguments: [spec.program, spec.script, ...spec.arguments],
      EnvironmentVariables: {
        PATH: spec.environment.PATH,
        BASIC_MEMORY_CONFIG_DIR: SPEC.stateRoot,
        BASIC_MEMORY_SERVICE: "launchd",
      },
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ThrottleInterval: 30,
      ExitTimeOut: 90,
      StandardOutPath: LOG,
      StandardErrorPath: LOG,
    })
  })
})
