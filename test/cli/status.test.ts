import { execFileSync } from "node:child_process"
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { writeProbe } from "../../src/engine/probe-file.ts"
import { openLevelStore } from "../../src/journal/level-store.ts"
import type { Verdict } from "../../src/store/verdict.ts"
import { CliDevice, CliWorld } from "./cli-world.ts"

let world: CliWorld

beforeEach(() => {
  world = new CliWorld()
})
afterEach(() => world.dispose())

describe("status", () => {
  test("shows the table and the lines below it", async () => {
    const a = await world.device("a")
    a.write("one/a.md", "a")
    a.write("two/b.md", "b")
    await a.sync()
    const { code, out } = await a.bm("cloud", "status")
    expect(code).toBe(0)
    for (const line of [
      /^Cloud Bisync Status$/m,
      /^┃ Property /m,
      /Status\s+│ ✓ Initialized/,
      /Local Directory\s+│ ~\/basic-memory-cloud-sync/,
      /Remote\s+│ file:\S+/,
      /Last Sync\s+│ (just now|\d+ seconds? ago)/,
      /Total Projects\s+│ 2 /,
      /^ {2}Storage used {2}2 B$/m,
      /^ {2}Conflicts +0 open$/m,
      /^ {2}History +2 runs · undo: bm cloud undo$/m,
      /^ {2}Guard +renames aside and links/m,
    ])
      expect(out).toMatch(line)
  })

  test("counts projects that are real, not ignored and not hidden", async () => {
    const a = await world.device("a")
    for (const name of ["notes", "work", ".hidden", "node_modules"]) mkdirSync(join(a.dir, name))
    symlinkSync(join(a.dir, "notes"), join(a.dir, "link"))
    const { json } = await a.bm("cloud", "status", "--json")
    expect(json).toMatchObject({
      schema: "bm.status/1",
      initialized: true,
      sync_dir: "~/basic-memory-cloud-sync",
      remote: `file:${world.cloud}`,
      projects: { total: 2, not_on_cloud: ["notes", "work"] },
    })
  })

  test("tells of conflicts, of what can be undone, and of what could not be verified", async () => {
    const [a, b] = [await world.device("a"), await world.device("b")]
    for (const [device, at] of [
      [a, "10:00"],
      [b, "10:05"],
    ] as const) {
      device.write("n.md", device === a ? "A\n" : "B\n", `2026-03-02T${at}:00Z`)
      device.write("t.md", device === a ? "A\n" : "B\n", "2026-03-02T10:00:00Z")
    }
    await a.sync()
    expect(await b.sync()).toBe(6)
    const { json } = await b.bm("cloud", "status", "--json")
    expect(json).toMatchObject({
      conflicts: { open: 1, decided_7d: 1 },
      history: { runs: 2, can_undo: expect.stringMatching(/^r/), verified_at: null },
    })
    expect((await b.bm("cloud", "status")).out).toMatch(
      /^ {2}Conflicts +1 open, 1 decided in 7 days \(bm cloud conflicts\)$/m,
    )
    await b.takeBack("undo", String((json.history as { can_undo: string }).can_undo))
    expect((await b.bm("cloud", "status", "--json")).json).toMatchObject({
      conflicts: { open: 1, decided_7d: 0 },
      history: { can_redo: expect.stringMatching(/^r/) },
    })
  })

  test("does not wait for a run that holds the journal", async () => {
    const a = await world.device("a")
    const held = await openLevelStore(
      join(a.place.stateRoot, "bisync-state", a.config().stateKey, "journal"),
      { createIfMissing: false },
    )
    try {
      const { code, json } = await a.bm("cloud", "status", "--json")
      expect([code, json.initialized]).toEqual([0, true])
    } finally {
      if (held.ok) await held.value.close()
    }
  })

  test("says what is gone", async () => {
    const a = await world.device("a")
    rmSync(a.dir, { recursive: true })
    rmSync(world.cloud, { recursive: true })
    const { code, out } = await a.bm("cloud", "status")
    expect(code).toBe(0)
    expect(out).toMatch(/Local Directory\s+│ ~\/basic-memory-cloud-sync \(not there\)/)
    expect(out).toMatch(/Remote\s+│ file:\S+ \(not there\)/)
    expect(out).toMatch(/Total Projects\s+│ unknown/)
  })

  test("says what to do next in an empty home, and where the state is gone", async () => {
    const empty = await new CliDevice(world, "empty").bm("cloud", "status")
    expect(empty.code).toBe(0)
    expect(empty.out).toMatch(/Status\s+│ ✗ Not initialized/)
    expect(empty.out).toMatch(/^Next: bm cloud bisync-setup$/m)
    const a = await world.device("a")
    rmSync(join(a.place.stateRoot, "bisync-state"), { recursive: true })
    expect((await a.bm("cloud", "status")).out).toMatch(/^Next: bm cloud bisync --resync$/m)
  })
})

describe("completion", () => {
  test.each(["bash", "zsh", "fish", "powershell"])(
    "prints a script for %s with every command",
    async (shell) => {
      const { code, out } = await new CliDevice(world, "a").bm("completion", shell)
      expect(code).toBe(0)
      for (const word of ["bisync-setup", "conflicts", "continue-conversation", "merged"])
        expect(out).toContain(word)
    },
  )

  test("completes in a real bash", async () => {
    const { out } = await new CliDevice(world, "a").bm("completion", "bash")
    const complete = (...words: readonly string[]) =>
      execFileSync("bash", [
        "--norc",
        "-c",
        `${out}\nCOMP_WORDS=(bm "$@"); COMP_CWORD=$#; _bm; echo "\${COMPREPLY[*]}"`,
        "bash",
        ...words,
      ])
        .toString()
        .trim()
    expect(complete("cl")).toBe("cloud")
    expect(complete("cloud", "conf")).toBe("conflicts")
    expect(complete("cloud", "conflicts", "resolve", "c4m9", "--ke")).toBe("--keep")
    expect(complete("cloud", "conflicts", "resolve", "--keep", "l")).toBe("local loser")
    expect(complete("cloud", "bisync", "--pro")).toBe("--profile --project")
  })

  test("knows no other shell", async () => {
    expect((await new CliDevice(world, "a").bm("completion", "tcsh")).code).toBe(64)
  })
})

describe("status of an object store", () => {
  const url = "s3://notes/mine?endpoint=http://127.0.0.1:9"

  test.each([
    {
      tier: "A",
      kind: "conditional",
      deletes: "conditional",
      says: /every write and every delete is conditional/,
    },
    { tier: "B", kind: "conditional", deletes: "tombstone", says: /a delete goes by a tombstone/ },
    { tier: "C", kind: "lease", deletes: "lease", says: /one device writes at a time/ },
    { tier: "D", kind: "lease", deletes: "lease", says: /only one device may write there/ },
  ] as const)("says in plain words what tier $tier holds, and asks no server", async (row) => {
    const a = await world.device("a")
    await a.sync()
    moveTo(a, url)
    expect(writeProbe(stateOf(a), { url, atMs: Date.UTC(2026, 2, 2), verdict: verdictOf(row.tier) }).ok).toBe(
      true,
    )
    const { code, out } = await a.bm("cloud", "status")
    expect(code).toBe(0)
    expect(out).toMatch(/Remote\s+│ s3:\/\/notes\/mine/)
    expect(out).not.toMatch(/not there/)
    expect(out.split("\n").find((line) => line.startsWith("  Guard"))).toMatch(row.says)
    expect((await a.bm("cloud", "status", "--json")).json.guard).toMatchObject({
      kind: row.kind,
      tier: row.tier,
      deletes: row.deletes,
      probed_at: "2026-03-02T00:00:00.000Z",
    })
  })

  test("says that nobody asked yet where the verdict is of another address, or torn", async () => {
    const a = await world.device("a")
    await a.sync()
    moveTo(a, url)
    writeProbe(stateOf(a), { url: "s3://elsewhere", atMs: 0, verdict: verdictOf("A") })
    const guard = async () => (await a.bm("cloud", "status", "--json")).json.guard
    expect(await guard()).toMatchObject({ kind: "not_probed" })
    for (const torn of [
      "",
      "{",
      "null",
      '{"schema":"bm.probe/1","url":"x","at":"y","verdict":{"tier":"E"}}',
    ]) {
      writeFileSync(join(stateOf(a), "probe.json"), torn)
      expect(await guard()).toMatchObject({ kind: "not_probed" })
    }
  })
})

function stateOf(a: CliDevice): string {
  return join(a.place.stateRoot, "bisync-state", a.config().stateKey)
}

/** As if the device had been set up with this remote. */
function moveTo(a: CliDevice, remote: string): void {
  const file = join(a.place.stateRoot, "config.json")
  const config = JSON.parse(readFileSync(file, "utf8"))
  config.bisync_config.remote = remote
  writeFileSync(file, JSON.stringify(config))
}

function verdictOf(tier: Verdict["tier"]): Verdict {
  const points = ["create", "create_again", "match_wrong"] as const
  return {
    tier,
    etagForm: "quoted",
    completes: true,
    copies: "none",
    refusesLate: true,
    hasFileBesideDirectory: true,
    findings: Object.fromEntries(points.map((point) => [point, "holds"])) as Verdict["findings"],
  }
}
