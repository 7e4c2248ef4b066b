import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { openLevelStore } from "../../src/journal/level-store.ts"
import { type CliDevice, CliWorld, type Ran } from "./cli-world.ts"

let world: CliWorld

beforeEach(() => {
  world = new CliWorld()
})
afterEach(() => world.dispose())

describe("doctor", () => {
  test("finds nothing wrong with a device that is well, and changes nothing", async () => {
    const a = await wellDevice()
    const before = snapshot(a)
    const { code, out } = await a.bm("doctor")
    expect(code, out).toBe(0)
    for (const line of [
      /^[✓-] rclone +/m,
      /^✓ git +[\d.]+, sync directory is a repository/m,
      /^✓ config +~\/\.basic-memory\/config\.json$/m,
      /^✓ permissions +/m,
      /^✓ cloud +\d+ ms, lets this device in; renames aside/m,
      /^✓ clock +/m,
      /^✓ lock +free$/m,
      /^✓ baseline +r\w+, matches its hash$/m,
      /^✓ filters +/m,
      /^✓ history +never verified; .+ free on disk$/m,
      /^✓ disk +.*hard links/m,
      /^Everything is well\.$/m,
    ])
      expect(out).toMatch(line)
    expect(snapshot(a)).toEqual(before)
  })

  test("says the same as one document", async () => {
    const a = await wellDevice()
    const { json } = await a.bm("doctor", "--json")
    expect(json).toMatchObject({ schema: "bm.doctor/1", ok: true, problems: 0, warnings: 0 })
    expect(checks(json).map(({ name }) => name)).toEqual([
      "rclone",
      "git",
      "config",
      "permissions",
      "cloud",
      "clock",
      "lock",
      "baseline",
      "filters",
      "history",
      "disk",
    ])
    expect(check(json, "cloud")).toMatchObject({
      result: "ok",
      evidence: { latency_ms: expect.any(Number), guard: { kind: "guarded_rename" } },
    })
  })

  test("warns of files that others can read, and closes them when asked to", async () => {
    const a = await wellDevice()
    const file = join(a.place.stateRoot, "config.json")
    chmodSync(file, 0o644)
    const found = await a.bm("doctor", "--json")
    expect(found.code).toBe(0)
    expect(check(found.json, "permissions")).toMatchObject({
      result: "warn",
      evidence: { files: [{ file: "~/.basic-memory/config.json", mode: "0644" }] },
      fix: { auto: true, command: "chmod 600 ~/.basic-memory/config.json" },
      fixed: false,
    })
    expect(statSync(file).mode & 0o777).toBe(0o644)
    const fixed = await a.bm("doctor", "--fix")
    expect(fixed.out).toMatch(/^✓ permissions .* fixed$/m)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test("makes the rclone form of the patterns anew when asked to", async () => {
    const a = await wellDevice()
    const [patterns, filter] = [".bmignore", ".bmignore.rclone"].map((name) => join(a.place.stateRoot, name))
    if (patterns === undefined || filter === undefined) throw new Error("no files")
    writeFileSync(patterns, `${readFileSync(patterns, "utf8")}\nsecret-*.md\n`)
    expect((await a.bm("doctor")).out).toMatch(/^! filters .*fix: bm doctor --fix$/m)
    expect(readFileSync(filter, "utf8")).not.toContain("secret-")
    expect((await a.bm("doctor", "--fix")).out).toMatch(/^✓ filters .*fixed$/m)
    expect(readFileSync(filter, "utf8")).toContain("secret-")
  })

  test.each<{
    readonly rule: string
    readonly harm: (a: CliDevice) => void
    readonly name: string
    readonly says: RegExp
  }>([
    {
      rule: "a device that was never set up is told how",
      harm: (a) => rmSync(a.place.stateRoot, { recursive: true }),
      name: "config",
      says: /not set up on this device +fix: bm cloud bisync-setup/,
    },
    {
      rule: "settings that cannot be read are a problem",
      harm: (a) => writeFileSync(join(a.place.stateRoot, "config.json"), "{"),
      name: "config",
      says: /not a JSON object/,
    },
    {
      rule: "a remote folder that is gone is a problem",
      harm: () => renameSync(world.cloud, `${world.cloud}-away`),
      name: "cloud",
      says: /not the remote that was synced/,
    },
    {
      rule: "a remote folder that was emptied is a problem",
      harm: () => {
        rmSync(world.cloud, { recursive: true })
        mkdirSync(world.cloud)
      },
      name: "cloud",
      says: /no epoch.*fix: bm cloud bisync --resync/,
    },
    {
      rule: "a journal that is gone is a problem",
      harm: (a) => rmSync(join(stateOf(a), "journal"), { recursive: true }),
      name: "baseline",
      says: /fix: bm cloud bisync --resync/,
    },
    {
      rule: "a damaged journal is a problem",
      harm: (a) => writeFileSync(join(stateOf(a), "journal", "CURRENT"), "MANIFEST-999999\n"),
      name: "baseline",
      says: /damaged/,
    },
    {
      rule: "a history that was found damaged is a problem",
      harm: (a) =>
        writeFileSync(
          join(stateOf(a), "verified.json"),
          JSON.stringify({ at: "2026-03-02T10:00:00.000Z", intact: false }),
        ),
      name: "history",
      says: /DAMAGED.*fix: bm cloud history verify/,
    },
    {
      rule: "a sync directory that is gone is a problem",
      harm: (a) => renameSync(a.dir, `${a.dir}-away`),
      name: "disk",
      says: /is not there/,
    },
    {
      rule: "an empty folder in place of the sync directory is a problem, and is not written to",
      harm: (a) => {
        renameSync(a.dir, `${a.dir}-away`)
        mkdirSync(a.dir)
      },
      name: "disk",
      says: /no marker/,
    },
  ])("$rule", async ({ harm, name, says }) => {
    const a = await wellDevice()
    harm(a)
    const { code, out } = await a.bm("doctor")
    expect(code, out).toBe(2)
    const line = out.split("\n").find((each) => each.startsWith(`✗ ${name} `))
    expect(line).toMatch(says)
    expect(out).toMatch(/^\d+ problems?/m)
    if (existsSync(a.dir) && existsSync(`${a.dir}-away`)) expect(readdirSync(a.dir)).toEqual([])
  })

  test("a run that is at work is no problem", async () => {
    const a = await wellDevice()
    const held = await openLevelStore(join(stateOf(a), "journal"), { createIfMissing: false })
    try {
      const { code, out } = await a.bm("doctor")
      expect(code, out).toBe(0)
      expect(out).toMatch(/^- lock +held by pid \d+/m)
      expect(out).toMatch(/^- baseline +not looked at while another run holds it$/m)
    } finally {
      if (held.ok) await held.value.close()
    }
  })

  test("is known to the completion", async () => {
    const a = await world.device("a")
    const { out } = await a.bm("completion", "bash")
    expect(out).toMatch(/\bdoctor\b/)
    expect(out).toMatch(/--fix\b/)
  })
})

async function wellDevice(): Promise<CliDevice> {
  const a = await world.device("a")
  a.write("notes/n.md", "n\n")
  await a.sync()
  return a
}

function stateOf(a: CliDevice): string {
  return join(a.place.stateRoot, "bisync-state", a.config().stateKey)
}

function snapshot(a: CliDevice): object {
  return { here: a.tree(), cloud: world.tree(), temporary: readdirSync(join(a.dir, ".basic-memory", "tmp")) }
}

type Check = Readonly<Record<string, unknown>> & { readonly name: string }

function checks(json: Ran["json"]): readonly Check[] {
  return json.checks as readonly Check[]
}

function check(json: Ran["json"], name: string): Check | undefined {
  return checks(json).find((each) => each.name === name)
}
