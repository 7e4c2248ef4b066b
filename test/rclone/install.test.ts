/** Which package manager installs rclone, and that it is run as it was shown: without a shell, and heard to the end. */

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { installCommand, runInstall } from "../../src/rclone/install.ts"

interface Row {
  readonly rule: string
  readonly platform: NodeJS.Platform
  readonly isRoot?: boolean
  readonly there: readonly string[]
  readonly shown: string | undefined
}

describe("the command", () => {
  test.each<Row>([
    {
      rule: "apt-get",
      platform: "linux",
      there: ["apt-get", "sudo"],
      shown: "sudo apt-get install -y rclone",
    },
    {
      rule: "dnf before yum",
      platform: "linux",
      there: ["yum", "dnf", "sudo"],
      shown: "sudo dnf install -y rclone",
    },
    { rule: "yum", platform: "linux", there: ["yum", "sudo"], shown: "sudo yum install -y rclone" },
    {
      rule: "pacman",
      platform: "linux",
      there: ["pacman", "sudo"],
      shown: "sudo pacman -S --needed --noconfirm rclone",
    },
    {
      rule: "zypper",
      platform: "linux",
      there: ["zypper", "sudo"],
      shown: "sudo zypper --non-interactive install rclone",
    },
    {
      rule: "doas for sudo",
      platform: "linux",
      there: ["apk", "doas"],
      shown: "doas apk add --no-cache rclone",
    },
    {
      rule: "no sudo for root",
      platform: "linux",
      isRoot: true,
      there: ["apt-get", "sudo"],
      shown: "apt-get install -y rclone",
    },
    { rule: "nothing without a way to be root", platform: "linux", there: ["apt-get"], shown: undefined },
    {
      rule: "Homebrew where the system's own takes root",
      platform: "linux",
      there: ["apt-get", "brew"],
      shown: "brew install rclone",
    },
    {
      rule: "the system's own before Homebrew",
      platform: "linux",
      there: ["apt-get", "brew", "sudo"],
      shown: "sudo apt-get install -y rclone",
    },
    { rule: "Homebrew", platform: "darwin", there: ["brew", "port", "sudo"], shown: "brew install rclone" },
    {
      rule: "no Homebrew for root, which it refuses",
      platform: "darwin",
      isRoot: true,
      there: ["brew", "port"],
      shown: "port -N install rclone",
    },
    {
      rule: "nothing but Homebrew for root",
      platform: "darwin",
      isRoot: true,
      there: ["brew"],
      shown: undefined,
    },
    {
      rule: "winget",
      platform: "win32",
      there: ["winget", "scoop.cmd", "powershell", "choco"],
      shown:
        "winget install --id=Rclone.Rclone --exact --source=winget --accept-package-agreements --accept-source-agreements",
    },
    {
      rule: "scoop, as it is typed",
      platform: "win32",
      there: ["scoop.cmd", "powershell", "choco"],
      shown: "scoop install rclone",
    },
    { rule: "choco", platform: "win32", there: ["powershell", "choco"], shown: "choco install rclone -y" },
    { rule: "pkg on a phone", platform: "android", there: ["pkg"], shown: "pkg install -y rclone" },
    { rule: "nothing where nothing is", platform: "linux", there: ["sudo"], shown: undefined },
    {
      rule: "nothing on a system that is not known",
      platform: "aix",
      there: ["apt-get", "sudo"],
      shown: undefined,
    },
  ])("is $rule: $shown", ({ platform, isRoot = false, there, shown }) => {
    expect(installCommand({ platform, isRoot, has: (name) => there.includes(name) })?.shown).toBe(shown)
  })

  test("is a program and its arguments", () => {
    const has = (name: string) => ["apt-get", "sudo"].includes(name)
    expect(installCommand({ platform: "linux", isRoot: false, has })).toEqual({
      command: "sudo",
      args: ["apt-get", "install", "-y", "rclone"],
      shown: "sudo apt-get install -y rclone",
    })
    expect(
      installCommand({ platform: "win32", isRoot: false, has: (name) => /scoop|power/.test(name) }),
    ).toEqual({
      command: "powershell",
      args: ["-NoProfile", "-NonInteractive", "-Command", "scoop install rclone"],
      shown: "scoop install rclone",
    })
  })
})

describe("running it", () => {
  let root = ""
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "bm-install-"))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  async function run(text: string, args: readonly string[] = []) {
    const program = join(root, "manager")
    writeFileSync(program, `#!/bin/sh\n${text}\n`)
    chmodSync(program, 0o755)
    let output = ""
    const environment = {
      ...process.env,
      ROOT: root,
      AWS_SECRET_ACCESS_KEY: "SECRET",
      RCLONE_CONFIG_PASS: "SECRET",
    }
    const onOutput = (piece: string) => {
      output += piece
    }
    return { end: await runInstall({ args }, { program, environment, onOutput }), output }
  }

  test("passes on what it says on both streams, and its exit code", async () => {
    const { end, output } = await run("echo Grüße; echo trouble >&2; exit 100")
    expect(end).toEqual({ kind: "ended", code: 100 })
    expect(output.split("\n").sort()).toEqual(["", "Grüße", "trouble"])
    expect((await run("exit 0")).end).toEqual({ kind: "ended", code: 0 })
  })

  test("hands the arguments over as they are, in a directory that is nobody's", async () => {
    const args = ["$(touch x)", "a b", "*", ";", ""]
    await run('pwd >"$ROOT/cwd"; printf "%s\\n" "$@" >"$ROOT/args"', args)
    expect(readFileSync(join(root, "args"), "utf8")).toBe(args.map((each) => `${each}\n`).join(""))
    expect(readFileSync(join(root, "cwd"), "utf8")).toBe("/\n")
  })

  test("gives it no input to wait for and no key of ours", async () => {
    expect((await run("cat; env")).output).not.toContain("SECRET")
  })

  test("says by what it was killed", async () => {
    expect((await run("kill -KILL $$")).end).toEqual({ kind: "killed", signal: "SIGKILL" })
  })

  test("says why it could not be started", async () => {
    const at = { environment: {}, onOutput: () => {} }
    const missing = await runInstall({ args: [] }, { program: join(root, "none"), ...at })
    expect(missing).toEqual({ kind: "not_started", why: "ENOENT" })
    writeFileSync(join(root, "file"), "")
    const below = await runInstall({ args: [] }, { program: join(root, "file", "below"), ...at })
    expect(below).toEqual({ kind: "not_started", why: "ENOTDIR" })
  })
})
