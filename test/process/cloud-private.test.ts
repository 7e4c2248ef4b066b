/**
 * What is the user's alone: the login, the settings, the key pair and rclone.conf are private from their first open, whatever
 * the umask; what else is in rclone.conf stays; and no secret is anywhere but where it belongs.
 */

import { spawnSync } from "node:child_process"
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import { isMissing, put, type Ran, versionsInHistory } from "./bm.ts"
import {
  type AccountDevice,
  type AccountWorld,
  loggedIn,
  subscriber,
  succeeds,
  testWorld,
  treeOf,
} from "./cloud-world.ts"
import { describeRclone } from "./rclone-world.ts"
import { TEST_MS_MAX } from "./s3-world.ts"

const LONG = { timeout: TEST_MS_MAX }
/** A container may not let one look at system calls. */
const hasStrace = spawnSync("strace", ["-f", "-o", "/dev/null", "true"]).status === 0

/** Runs as a user whose new files everybody may write. */
const openly = (words: readonly string[]) => ["sh", "-c", 'umask 0; exec "$@"', "sh", ...words]

/** What the database makes, which knows no modes: its directory is the user's alone. */
const JOURNAL = /\/journal\/[^/]+$/

describeServer(
  "versitygw",
  (server) => {
    describe.skipIf(isMissing(hasStrace, "strace"))("with strace (skipped where it is not there)", () => {
      test("every file of the account is made for the user alone, whatever the umask", LONG, async () => {
        const world = await testWorld(server())
        const device = world.device("one")
        const calls = await traced(device, [
          ["cloud", "login"],
          ["cloud", "bisync-setup"],
          ["cloud", "login", "--host", world.cloud.url],
        ])
        const { files, stateRoot, dir } = device
        const made = calls.filter(({ path }) => !path.startsWith(dir))
        const ours = made.filter(({ what, path }) => what === "file" && !JOURNAL.test(path))
        expect(ours.filter(({ mode }) => mode !== 0o600)).toEqual([])
        for (const file of [files.tokens, files.config, files.credentials, files.rcloneConf])
          expect(ours.map(({ path }) => path)).toContainEqual(expect.stringMatching(besides(file)))
        const directories = made.filter(({ what }) => what === "directory")
        expect(directories.filter(({ mode }) => mode !== 0o700)).toEqual([])
        expect(directories.map(({ path }) => path)).toContain(join(stateRoot, "bisync-state"))
      })
    })

    test("nothing of the user's is open to others, whatever the umask", LONG, async () => {
      const world = await testWorld(server())
      const device = world.device("one")
      await succeeds(device.runBy(openly, "cloud", "login"))
      await succeeds(device.runBy(openly, "cloud", "bisync-setup"))
      put(device.dir, "notes/a.md", "a\n")
      await succeeds(device.runBy(openly, "cloud", "bisync"))
      const open = [...treeOf(device.home)].filter(
        ([name, what]) =>
          /^\.(basic-memory|config)/.test(name) && !JOURNAL.test(name) && !/^[67]00 /.test(what),
      )
      expect(open).toEqual([])
    })

    test("a login that others could read is not used, and says how to mend it", LONG, async () => {
      const world = await testWorld(server())
      const device = await loggedIn(world, "one")
      chmodSync(device.files.tokens, 0o644)
      const ran = await device.run("cloud", "bisync-setup")
      expect(ran).toMatchObject({ exit: 1, out: "" })
      expect(ran.err).toMatch(/^Error: Cannot use the file of the login - others can read it; chmod 600 it\n/)
      expect(world.cloud.asked("GET /tenant/mount/info")).toEqual([])
    })

    test.each(CONFS)(
      "of an rclone.conf %s, setup changes its own section and nothing else",
      LONG,
      async (_, conf) => {
        const world = await testWorld(server())
        const device = await loggedIn(world, "one")
        mkdirSync(join(device.home, ".config/rclone"), { recursive: true })
        writeFileSync(device.files.rcloneConf, conf.before + (conf.old ?? "") + conf.after, {
          mode: 0o644,
          encoding: "latin1",
        })
        await device.setUp()
        const text = readFileSync(device.files.rcloneConf, "latin1")
        expect(text.startsWith(conf.before)).toBe(true)
        expect(text.endsWith(conf.after)).toBe(true)
        const ours = text.slice(conf.before.length, text.length - conf.after.length)
        const [pair] = world.cloud.tenants[0]?.credentials ?? []
        expect(ours).toMatch(/^[\r\n]*\[basic-memory-tenant-4b9c\]\r?\ntype = s3\r?\n/)
        expect(ours).toContain(`access_key_id = ${pair?.accessKey}`)
        expect(ours).not.toContain("AKIAOLD")
        expect(lstatSync(device.files.rcloneConf).mode & 0o777).toBe(0o600)
        expect(readdirSync(join(device.home, ".config/rclone"))).toEqual(["rclone.conf"])
      },
    )

    test("no secret is said, or kept anywhere but in its own file", LONG, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      await expectKeptInPlace(world, device)
    })

    describeRclone((rclone) =>
      test("no secret is said, or kept anywhere but in its own file, by way of rclone", LONG, async () => {
        const world = await testWorld(server())
        const device = await subscriber(world, "one", { rclone, setUp: ["--backend", "rclone"] })
        await expectKeptInPlace(world, device)
      }),
    )
  },
  { region: "auto" },
)

const OTHERS =
  '# mine\r\n[other]\r\ntype = local\r\n ; odd = \xe9\n\n[drive]\ntype = drive\ntoken = {"a":"b=c # d"}'
const CONFS: readonly (readonly [string, { before: string; old?: string; after: string }])[] = [
  ["with other sections and no end of its last line", { before: OTHERS, after: "" }],
  [
    "with an old section of ours between others",
    {
      before: "[first]\ntype = local\n\n",
      old: "[basic-memory-tenant-4b9c]\ntype = s3\naccess_key_id = AKIAOLD\n",
      after: "\n[last]\ntype = alias\nremote = /tmp\n",
    },
  ],
]

interface Made {
  readonly what: "file" | "directory"
  readonly path: string
  readonly mode: number
}

/** What these commands make below the home, with the mode that the system was asked for. */
async function traced(
  device: AccountDevice,
  commands: readonly (readonly string[])[],
): Promise<readonly Made[]> {
  const made: Made[] = []
  for (const [index, args] of commands.entries()) {
    const log = join(device.home, `calls-${index}`)
    const calls = "trace=open,openat,creat,mkdir,mkdirat"
    const by = (words: readonly string[]) => openly(["strace", "-f", "-e", calls, "-o", log, ...words])
    await succeeds(device.runBy(by, ...args))
    made.push(...readFileSync(log, "utf8").split("\n").flatMap(madeBy))
  }
  return made.filter(({ path }) => path.startsWith(device.home))
}

const FILE = /(?:open(?:at)?|creat)\((?:AT_FDCWD, )?"([^"]+)", (?:\S*O_CREAT\S*, )?(0\d+)\) = \d/
const DIRECTORY = /mkdir(?:at)?\((?:AT_FDCWD, )?"([^"]+)", (0\d+)\) = 0/

function madeBy(line: string): readonly Made[] {
  return (["file", "directory"] as const).flatMap((what) => {
    const [, path, mode] = (what === "file" ? FILE : DIRECTORY).exec(line) ?? []
    return path === undefined || mode === undefined ? [] : [{ what, path, mode: Number.parseInt(mode, 8) }]
  })
}

/** Where a file is written before it takes its place. */
function besides(file: string): RegExp {
  const [, directory = "", name = ""] = /^(.*\/)([^/]+)$/.exec(file) ?? []
  return new RegExp(`^${escaped(directory)}\\.?${escaped(name)}\\.(bm-)?[0-9a-f]{12}$`)
}

function escaped(text: string): string {
  return text.replace(/[.+]/g, "\\$&")
}

const COMMANDS = [
  ["cloud", "bisync", "--verbose"],
  ["cloud", "bisync", "--json"],
  ["cloud", "bisync", "--dry-run", "--verbose", "--json"],
  ["cloud", "bisync-setup", "--verbose", "--json"],
  ["cloud", "status", "--verbose"],
  ["cloud", "check", "--verbose"],
  ["tools", "continue-conversation", "--json"],
  ["doctor", "--json"],
] as const

/** What is said, `run` looks through by itself. */
async function expectKeptInPlace(world: AccountWorld, device: AccountDevice): Promise<void> {
  for (const args of COMMANDS) {
    put(device.dir, "notes/a.md", `before ${args.join(" ")}\n`)
    const ran: Ran = await device.runWith({ BM_DEBUG: "1" }, ...args)
    expect(ran.exit, ran.out + ran.err).toBeLessThanOrEqual(args[0] === "doctor" ? 2 : 0)
  }
  world.cloud.expireAccess()
  await succeeds(device.run("tools", "continue-conversation"))
  const [pair] = world.cloud.tenants[0]?.credentials ?? []
  const places = new Map<string, readonly string[]>()
  for (const secret of world.cloud.secrets())
    places.set(secret, filesWith(secret, [device.home, world.folder]))
  const { tokens, credentials, rcloneConf } = device.files
  expect(places.get(pair?.secretKey ?? "")?.toSorted()).toEqual([rcloneConf, credentials].toSorted())
  const known = new Map(
    [...places].filter(([secret, files]) => files.length > 0 && secret !== pair?.secretKey),
  )
  // The newest of each kind; what was replaced is gone.
  expect([...known.values()]).toEqual([[tokens], [tokens]])
  const history = [...versionsInHistory(device)].join("\n")
  expect(history).toContain("before cloud bisync")
  for (const secret of world.cloud.secrets()) expect(history).not.toContain(secret)
}

function filesWith(text: string, directories: readonly string[]): readonly string[] {
  return directories.flatMap((directory) =>
    readdirSync(directory, { recursive: true, encoding: "utf8" })
      .map((name) => join(directory, name))
      .filter((file) => lstatSync(file).isFile() && readFileSync(file, "latin1").includes(text)),
  )
}
