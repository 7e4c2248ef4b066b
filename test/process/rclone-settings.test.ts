/**
 * Settings that were made for something else, or made wrongly: filters and dry runs in the environment and in rclone.conf
 * hide no note and delete none; and what cannot be used at all is said in a sentence of its own, with nothing changed.
 */

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { describeEachRclone } from "../rclone/real-rclone.ts"
import { describeServer } from "../servers/describe-server.ts"
import { freePort } from "../servers/process.ts"
import { notesIn, put } from "./bm.ts"
import {
  confText,
  describeRclone,
  newFolderWorld,
  newRcloneS3World,
  type RcloneDevice,
  type RcloneS3World,
} from "./rclone-world.ts"
import { expectEqual, expectSynced, TEST_MS_MAX } from "./s3-world.ts"

/** Each of them alone would hide notes, skip or forbid writes, or open rclone to others. */
function hostileEnvironment(home: string): Readonly<Record<string, string>> {
  const rules = join(home, "rules")
  writeFileSync(rules, "- *\n")
  const log = join(home, "rclone.log")
  return {
    RCLONE_EXCLUDE: "*.md",
    RCLONE_EXCLUDE_FROM: rules,
    RCLONE_FILTER: "- *",
    RCLONE_FILTER_FROM: rules,
    RCLONE_INCLUDE: "*.txt",
    RCLONE_FILES_FROM: rules,
    RCLONE_MAX_SIZE: "1b",
    RCLONE_MIN_SIZE: "1G",
    RCLONE_MAX_AGE: "1s",
    RCLONE_MAX_DEPTH: "1",
    RCLONE_DRY_RUN: "true",
    RCLONE_INTERACTIVE: "true",
    RCLONE_MAX_DELETE: "0",
    RCLONE_MAX_TRANSFER: "1b",
    RCLONE_MAX_DURATION: "1ms",
    RCLONE_IGNORE_EXISTING: "true",
    RCLONE_IMMUTABLE: "true",
    RCLONE_UPDATE: "true",
    RCLONE_SIZE_ONLY: "true",
    RCLONE_BACKUP_DIR: "r:backup",
    RCLONE_SUFFIX: ".bak",
    RCLONE_DELETE_EXCLUDED: "true",
    RCLONE_TRACK_RENAMES: "true",
    RCLONE_HEADER: "Authorization: none",
    RCLONE_LOG_FILE: log,
    RCLONE_LOG_LEVEL: "DEBUG",
    RCLONE_USE_JSON_LOG: "true",
    RCLONE_RC_NO_AUTH: "true",
    RCLONE_RC_ADDR: ":0",
    RCLONE_RC_BASEURL: "elsewhere",
    RCLONE_RC_HTPASSWD: rules,
  }
}

/** The same in a section of rclone.conf, where new versions of rclone take them too. */
const HOSTILE_LINES = {
  "global.dry_run": "true",
  "override.dry_run": "true",
  "global.ignore_existing": "true",
  "override.ignore_existing": "true",
  "global.immutable": "true",
  "global.max_delete": "0",
  "global.backup_dir": "r:backup",
  "global.suffix": ".bak",
}

describeEachRclone((rclone) =>
  describeServer("versitygw", (server) => {
    describe("hostile settings", () => {
      for (const where of ["environment", "rclone.conf"] as const)
        test(
          `in the ${where} change nothing of what is synced`,
          async () => {
            const world = await stopped(await newRcloneS3World(server(), rclone.path))
            const isConf = where === "rclone.conf"
            const sections = { r: { ...world.section, ...(isConf && HOSTILE_LINES) } }
            const env = isConf ? {} : hostileEnvironment(world.root)
            const [here, there] = [world.rcloneDevice("here", { sections, env }), world.rcloneDevice("there")]
            const before = {
              "a.md": "a\n",
              "b.md": "b\n",
              "c/d/e/f.md": "deep\n",
              "gone.md": "gone\n",
              "x.txt": "x",
            }
            for (const [path, text] of Object.entries(before)) put(here.dir, path, text)
            await here.setUp()
            await there.setUp()
            await expectEqual(world, [here, there], before)
            put(here.dir, "a.md", "a, edited here\n")
            put(here.dir, "new/here.md", "new here\n")
            rmSync(join(here.dir, "gone.md"))
            put(there.dir, "b.md", "b, edited there\n")
            await expectSynced(there)
            await expectSynced(here)
            await expectSynced(there)
            const { "gone.md": _, ...rest } = before
            const after = { ...rest, "a.md": "a, edited here\n", "b.md": "b, edited there\n" }
            await expectEqual(world, [here, there], { ...after, "new/here.md": "new here\n" })
            expect(existsSync(join(world.root, "rclone.log"))).toBe(false)
          },
          TEST_MS_MAX,
        )
    })

    describe("settings that cannot be used", () => {
      test(
        "are said each in its own words, and nothing is changed here or there",
        async () => {
          const world = await stopped(await newRcloneS3World(server(), rclone.path))
          const device = world.rcloneDevice("one")
          put(device.dir, "a.md", "a\n")
          await device.setUp()
          put(device.dir, "b.md", "b\n")
          rmSync(join(device.dir, "a.md"))
          const before = seen(world, device)
          for (const { conf, exit, code, says, isSlow } of await misfortunes(world)) {
            writeFileSync(device.conf, conf)
            const commands = [["bisync"], ["bisync", "--dry-run"], ["bisync-setup"]]
            for (const command of commands.slice(0, isSlow === true ? 1 : commands.length)) {
              const ran = await device.run("cloud", ...command)
              expect(ran, `${command}\n${conf}\n${ran.out}`).toMatchObject({ exit, out: "" })
              expect(ran.err, conf).toMatch(says)
              expect(ran.err).toMatch(/\n {2}Fix [^]*\n {2}Nothing was changed\.\n$/)
              expect(ran.err).not.toContain(server().secretAccessKey)
            }
            if (isSlow === true) continue
            const json = await device.run("cloud", "bisync", "--json")
            expect(JSON.parse(json.err), conf).toMatchObject({ code, exit, changed: false })
          }
          expect(seen(world, device)).toEqual(before)
          writeFileSync(device.conf, confText({ r: world.section }))
          await expectSynced(device)
          await expectEqual(world, [device], { "b.md": "b\n" })
        },
        TEST_MS_MAX,
      )
    })
  }),
)

describeRclone((program) => {
  describe("a URL that is no remote", () => {
    const sections = (folder: string) => ({ r: { type: "alias", remote: folder } })
    const URLS = [
      ["rclone:nobody:notes", 1, /^Error: There is no rclone remote nobody\n {2}Fix .*rclone listremotes/],
      ["rclone:R:notes", 1, /^Error: There is no rclone remote R\n/],
      ["rclone:r", 64, /is not a remote: write rclone:name:path/],
      ["rclone::local:/", 64, /settings inside of the name are not taken/],
      [
        "rclone::webdav,bearer_token_command='touch CANARY':",
        64,
        /settings inside of the name are not taken/,
      ],
      ["rclone:r,type=local:notes", 64, /settings inside of the name are not taken/],
      ["rclone:/tmp", 64, /is not a remote/],
      ["rclone:r:../notes", 64, /its path has control characters, \], \. or \.\./],
      ["rclone:r:a/../../b", 64, /its path has control characters, \], \. or \.\./],
      ["rclone:r:a]/b", 64, /its path has control characters, \], \. or \.\./],
      ["rclone:r:a\nb", 64, /is not a remote/],
    ] as const
    for (const [url, exit, says] of URLS)
      test(`${JSON.stringify(url)} is refused, and nothing is made`, async () => {
        const world = newFolderWorld(program)
        const device = world.device("one", { sections: sections(world.folder) })
        put(device.dir, "a.md", "a\n")
        const canary = join(device.home, "canary")
        for (const flags of [[], ["--dry-run"], ["--yes", "--json"]]) {
          const remote = url.replace("CANARY", canary)
          const ran = await device.run(
            "cloud",
            "bisync-setup",
            "--dir",
            device.dir,
            "--remote",
            remote,
            ...flags,
          )
          expect(ran, ran.out).toMatchObject({ exit, out: "" })
          if (flags.includes("--json")) expect(JSON.parse(ran.err)).toMatchObject({ exit, changed: false })
          else expect(ran.err).toMatch(says)
        }
        expect([canary, device.stateRoot].filter(existsSync)).toEqual([])
        expect([...notesIn(world.folder)]).toEqual([])
      })
  })
})

async function stopped(world: RcloneS3World): Promise<RcloneS3World> {
  onTestFinished(() => world.stop(), TEST_MS_MAX)
  return world
}

interface Misfortune {
  /** The whole rclone.conf. */
  readonly conf: string
  readonly exit: number
  readonly code: string
  readonly says: RegExp
  /** It is asked again and again for twenty seconds. */
  readonly isSlow?: true
}

async function misfortunes({ section }: RcloneS3World): Promise<readonly Misfortune[]> {
  const off = `http://127.0.0.1:${await freePort()}`
  const withSection = (changed: object) => confText({ r: { ...section, ...changed } })
  return [
    {
      conf: withSection({ secret_access_key: "another" }),
      exit: 1,
      code: "credentials",
      says: /^Error: The storage does not (?:accept|let rclone in with) what rclone\.conf has for it \(.+\)\n[^]*rclone config/,
    },
    {
      conf: withSection({ endpoint: off }),
      exit: 1,
      code: "cloud_unreachable",
      says: /^Error: Cannot reach the cloud by way of rclone \(connection refused\)\n[^]*the network/,
      isSlow: true,
    },
    {
      conf: confText({ another: section }),
      exit: 1,
      code: "not_found",
      says: /^Error: There is no rclone remote r\n[^]*rclone listremotes/,
    },
    { conf: "", exit: 1, code: "not_found", says: /^Error: There is no rclone remote r\n/ },
    // A bucket of another name, under the same remote.
    {
      conf: confText({ r: { type: "alias", remote: "s:no-such-bucket" }, s: section }),
      exit: 1,
      code: "not_found",
      says: /^Error: There is no such directory or bucket in that remote \(.+\)\n[^]*rclone lsd/,
    },
    {
      conf: withSection({ type: "nosuch" }),
      exit: 1,
      code: "cloud_unreachable",
      says: /^Error: .*rclone/,
    },
    { conf: "[r\ntype s3\n", exit: 1, code: "cloud_unreachable", says: /^Error: .*rclone/ },
  ]
}

function seen(world: RcloneS3World, device: RcloneDevice): object {
  const config = readFileSync(join(device.stateRoot, "config.json"), "utf8")
  return { notes: notesIn(device.dir), bucket: world.notes(), config }
}
