import { readFileSync, renameSync, statSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { CliWorld } from "./cli-world.ts"
import { history, type HistoryJson, historyJson, newestRun } from "./history-world.ts"

let world: CliWorld

beforeEach(() => {
  world = new CliWorld()
})
afterEach(() => world.dispose())

/** Two devices that share `n.md` (edited by both) and `p/a.md` (edited by b). */
async function shared() {
  const [a, b] = [await world.device("a"), await world.device("b")]
  a.write("n.md", "base\n", "2026-03-02T09:00:00Z")
  a.write("p/a.md", "1\n")
  await a.sync()
  await b.sync()
  return { a, b }
}

describe("history", () => {
  test("lists runs newest first, each with what it did", async () => {
    const { a, b } = await shared()
    b.write("p/a.md", "2\n")
    await b.sync()
    await a.sync()
    const { runs, total } = await historyJson<HistoryJson>(a)
    expect(runs.map(({ kind, uploaded, downloaded }) => ({ kind, uploaded, downloaded }))).toEqual([
      { kind: "bisync", uploaded: 0, downloaded: 1 },
      { kind: "bisync", uploaded: 2, downloaded: 0 },
      { kind: "resync", uploaded: 0, downloaded: 0 },
    ])
    expect(total).toBe(3)
  })

  test("hides runs that found nothing to do, unless all are asked for", async () => {
    const { a } = await shared()
    for (let i = 0; i < 3; i++) await a.sync()
    const usual = await historyJson<HistoryJson>(a)
    const all = await historyJson<HistoryJson>(a, "--all")
    expect([usual.total, all.total]).toEqual([2, 5])
    const idle = all.runs[0]?.run ?? ""
    expect((await history(a, "show", idle)).out).toContain("Nothing to do")
    expect((await historyJson<HistoryJson>(a, "--all", "--before", idle)).runs).toHaveLength(4)
  })

  test("counts a rename as a move, and says what undid it", async () => {
    const { a } = await shared()
    renameSync(join(a.dir, "p"), join(a.dir, "q"))
    await a.sync()
    const { run } = await newestRun(a)
    await a.takeBack("undo", run)
    const [undo, renamed] = (await historyJson<HistoryJson>(a)).runs
    expect(renamed).toMatchObject({ run, moved: 1, deleted: 0, uploaded: 0, undone_by: undo?.run })
    expect(undo).toMatchObject({ kind: "undo", undo_of: run })
    expect((await history(a)).out).toMatch(new RegExp(`undid ${run}\n.*undone by ${undo?.run}`))
  })

  test("goes on page by page", async () => {
    const { a } = await shared()
    const first = await historyJson<HistoryJson>(a, "--limit", "1")
    const second = await historyJson<HistoryJson>(a, "--limit", "1", "--before", first.next_before ?? "")
    expect([first.total, second.total]).toEqual([2, 2])
    expect(second.runs[0]?.kind).toBe("resync")
    expect(second.next_before).toBeNull()
  })

  test("limits to what came after or before a run", async () => {
    const { a } = await shared()
    const { run } = await newestRun(a)
    const totals = async (...args: string[]) => (await historyJson<HistoryJson>(a, ...args)).total
    expect(await totals("--since", run)).toBe(0)
    expect(await totals("--since", `${run}-`)).toBe(1)
    expect(await totals("--until", `${run}-`)).toBe(1)
    expect(await totals("--until", run)).toBe(2)
    expect(await totals("--until", "today")).toBe(2)
    expect(await totals("--until", "yesterday")).toBe(0)
    expect(await totals("--kind", "resync")).toBe(1)
    expect(await totals("--project", "p")).toBe(1)
    expect(await totals("--device", "b")).toBe(0)
  })

  test("shows the changes of the paths that a pattern names", async () => {
    const { a } = await shared()
    const paths = async (pattern: string) =>
      (await historyJson<HistoryJson>(a, "--path", pattern)).events?.map(({ path }) => path)
    expect(await paths("p")).toEqual(["p/a.md"])
    expect(await paths("p/*.md")).toEqual(["p/a.md"])
    expect(await paths("*")).toEqual(["n.md"])
    expect(await paths("**/*.md")).toEqual(["p/a.md", "n.md"])
    expect(await paths("p/b.md")).toEqual([])
  })

  test("answers without the sync directory and without the remote", async () => {
    const { a } = await shared()
    const { run } = await newestRun(a)
    renameSync(a.dir, `${a.dir}.gone`)
    renameSync(world.cloud, `${world.cloud}.gone`)
    expect((await history(a)).code).toBe(0)
    expect((await history(a, "show", "n.md", "--at", run)).out).toBe("base\n")
    expect((await history(a, "verify")).code).toBe(0)
  })

  test.each([
    [["--since", "soon-ish"], 64],
    [["--kind", "cleanup"], 64],
    [["--limit", "0"], 64],
    [["--since", "rzzzzz"], 1],
    [["--project", "nope"], 1],
    [["show", "rzzzzz"], 1],
    [["show", "nope.md", "--at", "@"], 1],
    [["export", "--prune"], 64],
    [["export", "--format", "xml"], 64],
  ])("refuses %j in a sentence", async (args, code) => {
    const { a } = await shared()
    const answer = await history(a, ...args)
    expect(answer.code).toBe(code)
    expect(answer.err).toMatch(/^Error: /)
    expect(answer.out).toBe("")
  })

  test("escapes names that would steer a terminal", async () => {
    const { a } = await shared()
    a.write("\u001b[31mred\n.md", "x\n")
    await a.sync()
    const { run } = await newestRun(a)
    for (const args of [
      ["--path", "**"],
      ["show", run, "--patch"],
    ]) {
      const { out } = await history(a, ...args)
      expect(out).toContain("\\x1b[31mred\\n.md")
      expect(out).not.toContain("\u001b")
    }
  })
})

describe("history show", () => {
  test("shows a conflict, what it replaced, and the difference", async () => {
    const { a, b } = await shared()
    b.write("n.md", "theirs\n", "2026-03-02T10:00:00Z")
    await b.sync()
    a.write("n.md", "ours\n", "2026-03-02T10:05:00Z")
    await a.sync()
    const { run, conflicts } = await newestRun(a)
    const { out } = await history(a, "show", run, "--patch")
    expect(out).toContain(`Run ${run} · bisync · balanced · a · `)
    expect(out).toContain(`newer wins: here; ${conflicts[0]}`)
    expect(out).toMatch(/-theirs\n +\+ours/)
    expect((await history(a, "show", conflicts[0] ?? "")).out).toContain(".1 ↑ ! n.md")
    const { events } = await historyJson<{ readonly events: readonly Record<string, unknown>[] }>(
      a,
      "show",
      `${run}.1`,
    )
    expect(events).toMatchObject([
      { id: `${run}.1`, op: "conflict", path: "n.md", kept: expect.stringMatching(/^git:[0-9a-f]{40}$/) },
    ])
  })

  test("writes exactly the bytes of a version, before and after each run", async () => {
    const { a } = await shared()
    const first = (await newestRun(a)).run
    a.write("n.md", "second\n")
    await a.sync()
    const second = (await newestRun(a)).run
    a.remove("n.md")
    await a.sync()
    const third = (await newestRun(a)).run
    const at = async (when: string) => (await history(a, "show", "n.md", "--at", when)).out
    expect(await at(first)).toBe("base\n")
    expect(await at(`${second}-`)).toBe("base\n")
    expect(await at(second)).toBe("second\n")
    expect(await at(`${third}-`)).toBe("second\n")
    expect((await history(a, "show", "n.md", "--at", third)).code).toBe(1)
    expect(await historyJson(a, "show", "n.md", "--at", second)).toMatchObject({
      path: "n.md",
      content: "second\n",
      run: second,
    })
  })

  test("gives bytes that are no text as base64", async () => {
    const { a } = await shared()
    a.write("i.bin", "\u0000")
    await a.sync()
    expect(await historyJson(a, "show", "i.bin", "--at", "@")).toMatchObject({ content: "\u0000", size: 1 })
  })
})

interface Line {
  readonly type: string
  readonly seq?: number
  readonly prev?: string
  readonly hash?: string
  readonly op?: string
  readonly path?: string
  readonly entries?: number
}

function linesOf(text: string): readonly Line[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line)
}

describe("history export", () => {
  test("writes every event, chained by hashes, and says where it ended", async () => {
    const { a } = await shared()
    const lines = linesOf((await history(a, "export")).out)
    const end = lines.at(-1)
    const events = lines.slice(0, -1)
    expect(end).toMatchObject({
      type: "export.end",
      from: 1,
      to: events.length,
      entries: events.length,
      head: events.at(-1)?.hash,
    })
    for (const [index, { prev }] of events.entries())
      if (index > 0) expect(prev).toBe(events[index - 1]?.hash)
    expect(
      events.filter(({ type }) => type === "action.done").map(({ op, path }) => `${op} ${path}`),
    ).toEqual(["upload n.md", "upload p/a.md"])
  })

  test("keeps to the run and the path that were asked for", async () => {
    const { a } = await shared()
    const { run } = await newestRun(a)
    const lines = linesOf((await history(a, "export", "--since", `${run}-`, "--path", "p/**")).out).slice(
      0,
      -1,
    )
    expect(new Set(lines.map(({ type }) => type))).toEqual(new Set(["observed", "intent", "action.done"]))
    expect(linesOf((await history(a, "export", "--until", `${run}-`)).out).at(-1)?.entries).toBeLessThan(20)
  })

  test("writes a table that a spreadsheet does not run", async () => {
    const { a } = await shared()
    a.write("=cmd.md", "x\n")
    await a.sync()
    const { out } = await history(a, "export", "--format", "csv")
    expect(out.split("\n")[0]).toBe("seq,id,run,at,device,op,direction,path,reason,before,after,kept,hash")
    expect(out).toContain(",upload,up,'=cmd.md,local_new,")
  })

  test("writes to a file that only its owner can read", async () => {
    const { a } = await shared()
    const { out, code } = await history(a, "export", "--out", "h.jsonl")
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/^✓ Exported \d+ entries \(1–\d+\) to h.jsonl, chain verified\n$/),
    ])
    const file = join(a.home, "h.jsonl")
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(linesOf(readFileSync(file, "utf8")).at(-1)?.type).toBe("export.end")
    expect((await history(a, "export", "--out", "no/such/folder.jsonl")).code).toBe(1)
  })
})
