/**
 * rclone is not there, too old or broken: that is said, with a way out, and nothing is changed. What lies in the synced
 * directory is never run, and what is installed is installed by the system's package manager, when the user said yes.
 */

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { notesIn, put } from "./bm.ts"
import { describeRclone, newFolderWorld, type RcloneDevice } from "./rclone-world.ts"

const SETUP = ["cloud", "bisync-setup", "--remote", "rclone:r:"] as const
const COMMANDS = [
  ["cloud", "bisync"],
  ["cloud", "bisync", "--dry-run"],
  ["cloud", "check"],
  [...SETUP],
] as const

interface Trouble {
  readonly rule: string
  /** A script in place of rclone; nothing where there is none. */
  readonly script?: string
  readonly says: RegExp
}

const TROUBLES: readonly Trouble[] = [
  {
    rule: "says that rclone is not found, and how to get it",
    says: /^Error: rclone not found\n {2}Why .*no directory of PATH has it\n {2}Fix .*bm cloud bisync-setup .*install/,
  },
  {
    rule: "says that rclone is too old, and which one is needed",
    script: 'echo "rclone v1.53.3"',
    says: /^Error: rclone 1\.53\.3 is too old - 1\.60\.1 or later is needed\n {2}Where .*\/bin\/rclone\n {2}Fix .*update/,
  },
  {
    rule: "says that rclone does not run where it fails",
    script: "exit 3",
    says: /^Error: rclone does not run \(exit code 3\)\n {2}Where .*\/bin\/rclone\n {2}Fix .*rclone version/,
  },
  {
    rule: "says that rclone does not run where it is something else",
    script: 'echo "hello"',
    says: /^Error: rclone does not run \(no version\)\n {2}Where .*\/bin\/rclone\n {2}Fix .*rclone version/,
  },
]

describeRclone((program) => {
  describe("without an rclone that can be used", () => {
    for (const { rule, script, says } of TROUBLES) {
      test(`a run, a look and a setup ${rule}`, async () => {
        const device = newFolderWorld(program).device("one")
        put(device.dir, "a.md", "a\n")
        await device.setUp()
        put(device.dir, "b.md", "b\n")
        replaceRclone(device, script)
        const before = fingerprint(device)
        for (const command of COMMANDS) {
          const ran = await alone(device, ...command)
          expect(ran, ran.out).toMatchObject({ exit: 1, out: "" })
          expect(ran.err).toMatch(says)
          expect(ran.err).toMatch(/\n {2}Nothing was changed\.\n$/)
          const json = await alone(device, ...command, "--json")
          expect(json, json.out).toMatchObject({ exit: 1, out: "" })
          expect(JSON.parse(json.err)).toMatchObject({ code: "rclone_missing", exit: 1, changed: false })
        }
        expect(fingerprint(device)).toEqual(before)
      })

      test(`a first setup ${rule}, and makes nothing`, async () => {
        const world = newFolderWorld(program)
        const device = world.device("one")
        replaceRclone(device, script)
        const dir = join(device.home, "new")
        const ran = await alone(device, ...SETUP, "--dir", dir)
        expect(ran, ran.out).toMatchObject({ exit: 1, out: "" })
        expect(ran.err).toMatch(says)
        expect([dir, device.stateRoot].filter(existsSync)).toEqual([])
        expect(readdirSync(world.folder)).toEqual([])
      })
    }

    test("says what rclone said where it knows its version and does not start", async () => {
      const device = newFolderWorld(program).device("one")
      await device.setUp()
      const isAsked = 'if [ "$1" = version ]; then echo "rclone v1.76.0"; exit 0; fi'
      replaceRclone(device, `${isAsked}\necho "it rains" >&2\nexit 2`)
      const ran = await alone(device, "cloud", "bisync")
      expect(ran, ran.out).toMatchObject({ exit: 1 })
      expect(ran.err).toMatch(/^Error: .*rclone.*it rains[^]*Nothing was changed/)
    })
  })

  describe("an rclone that can be used", () => {
    test("is started once in a run, and asked for its version before only where that decides what it sees", async () => {
      const device = newFolderWorld(program).device("one")
      await device.setUp()
      const log = join(device.home, "runs")
      replaceRclone(device, `echo "$1" >> '${log}'\nexec '${program}' "$@"`)
      const path = { PATH: `${device.bin}:${process.env["PATH"]}` }
      for (const [more, runs] of [
        [{}, ["rcd"]],
        [{ AWS_CA_BUNDLE: "" }, ["version", "rcd"]],
      ] as const) {
        rmSync(log, { force: true })
        const ran = await device.runWith({ ...path, ...more }, "cloud", "bisync")
        expect(ran, ran.err).toMatchObject({ exit: 0 })
        expect(readFileSync(log, "utf8").trim().split("\n")).toEqual(runs)
      }
    })
  })

  describe("an rclone that lies where notes are synced", () => {
    test("is never run, and the next one on PATH is", async () => {
      const device = newFolderWorld(program).device("one")
      const canary = join(device.home, "was-run")
      const script = `echo "$0" >> '${canary}'\necho "rclone v1.76.0"`
      writeScript(join(device.dir, "tools/rclone"), script)
      // Where the user stands counts as little, nor does a link that leads to the notes.
      writeScript(join(device.home, "rclone"), script)
      symlinkSync(join(device.dir, "tools"), join(device.home, "link"))
      const traps = [join(device.dir, "tools"), join(device.home, "link"), ".", ""].join(":")
      const only = await device.runWith({ PATH: traps }, ...SETUP, "--dir", device.dir)
      expect(only, only.out).toMatchObject({ exit: 1 })
      expect(only.err).toMatch(/^Error: rclone not found/)
      const both = { PATH: `${traps}:${device.bin}:${process.env["PATH"]}` }
      for (const command of [[...SETUP, "--dir", device.dir], ["cloud", "bisync"], ["doctor"]]) {
        const ran = await device.runWith(both, ...command)
        expect(ran, ran.err + ran.out).toMatchObject({ exit: 0 })
      }
      expect(existsSync(canary)).toBe(false)
    })
  })

  describe("a package manager", () => {
    const install = (device: RcloneDevice, to: string) => `/bin/ln -s '${to}' '${device.bin}/rclone'`

    test("is asked once by --yes, sees no key of ours, and rclone is installed", async () => {
      const device = newFolderWorld(program).device("one")
      const log = managed(device, `echo "Setting up rclone"\n${install(device, program)}`)
      put(device.dir, "a.md", "a\n")
      const secrets = { AWS_SECRET_ACCESS_KEY: "secret-1", RCLONE_S3_SECRET_ACCESS_KEY: "secret-2" }
      const ran = await device.runWith(
        { ...secrets, PATH: device.bin },
        ...SETUP,
        "--dir",
        device.dir,
        "--yes",
      )
      expect(ran, ran.err).toMatchObject({ exit: 0 })
      expect(ran.out).toMatch(/^\[1\/5\] ✓ rclone 1\.76\.0 installed\n/)
      expect(ran.err).toMatch(/Setting up rclone/)
      expect(log().split("\n")[0]).toBe("apt-get install -y rclone")
      expect(log()).not.toMatch(/secret-[12]/)
      const again = await alone(device, ...SETUP, "--dir", device.dir, "--yes", "--json")
      const { steps } = JSON.parse(again.out)
      expect(steps, again.err).toContainEqual({ n: 1, name: "rclone", result: "found", version: "1.76.0" })
      expect(log().match(/^apt-get/gm)).toHaveLength(1)
    })

    test("is not asked without a terminal and without --yes, nor in a dry run", async () => {
      const device = newFolderWorld(program).device("one")
      const log = managed(device, install(device, program))
      for (const flags of [[], ["--json"], ["--dry-run"], ["--dry-run", "--yes"]]) {
        const ran = await alone(device, ...SETUP, "--dir", device.dir, ...flags)
        expect(ran, ran.out).toMatchObject({ exit: 1, out: "" })
        expect(ran.err).toMatch(/rclone not found/)
      }
      // Nothing but a setup ever installs.
      expect((await alone(device, "cloud", "bisync", "--yes")).exit).not.toBe(0)
      expect(log()).toBe("")
      expect(existsSync(device.stateRoot)).toBe(false)
    })

    test("that fails leaves things as they were, and is heard", async () => {
      const device = newFolderWorld(program).device("one")
      const log = managed(device, 'echo "E: Unable to locate package rclone" >&2\nexit 100')
      const ran = await alone(device, ...SETUP, "--dir", device.dir, "--yes")
      expect(ran, ran.out).toMatchObject({ exit: 1, out: "" })
      expect(ran.err).toMatch(/^E: Unable to locate package rclone\nError: rclone not found/)
      expect(log()).toMatch(/^apt-get /)
      expect(existsSync(device.stateRoot)).toBe(false)
    })

    test("that brings an old rclone is told from one that brings none", async () => {
      const device = newFolderWorld(program).device("one")
      const old = join(device.home, "old")
      writeScript(old, 'echo "rclone v1.53.3"')
      managed(device, install(device, old))
      const ran = await alone(device, ...SETUP, "--dir", device.dir, "--yes")
      expect(ran, ran.out).toMatchObject({ exit: 1, out: "" })
      expect(ran.err).toMatch(/^Error: rclone 1\.53\.3 is too old/)
    })
  })
})

/** With nothing on PATH but what the test put there. */
function alone(device: RcloneDevice, ...args: readonly string[]) {
  return device.runWith({ PATH: device.bin }, ...args)
}

function replaceRclone({ bin }: RcloneDevice, script: string | undefined): void {
  rmSync(join(bin, "rclone"))
  if (script !== undefined) writeScript(join(bin, "rclone"), script)
}

function writeScript(file: string, script: string): void {
  mkdirSync(join(file, ".."), { recursive: true })
  writeFileSync(file, `#!/bin/sh\n${script}\n`)
  chmodSync(file, 0o755)
}

/** A package manager in place of rclone, run by whoever may; answers how it was called, and what it saw. */
function managed(device: RcloneDevice, script: string): () => string {
  const log = join(device.home, "log")
  replaceRclone(device, undefined)
  writeScript(join(device.bin, "apt-get"), `echo "apt-get $*" >> '${log}'\nset >> '${log}'\n${script}`)
  writeScript(join(device.bin, "sudo"), 'exec "$@"')
  return () => (existsSync(log) ? readFileSync(log, "utf8") : "")
}

/** Notes and settings; what a refused command may leave is a log of its own at most. */
function fingerprint(device: RcloneDevice): object {
  const config = readFileSync(join(device.stateRoot, "config.json"), "utf8")
  return { notes: notesIn(device.dir), config, states: readdirSync(join(device.stateRoot, "bisync-state")) }
}
