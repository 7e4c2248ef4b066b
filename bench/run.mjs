// `npm run bench`: folder to folder on 10,000 small notes, the product and its peers in turn, in the same run.
//
//   node bench/run.mjs [--rounds N] [--first-rounds N] [--out FILE] [ARCHIVE.tar.gz]        (after `npm run build`)
//
// Setup and verification are outside the clock. After every sync both folders are compared by hash. The table goes
// to stdout and, with versions and machine, to bench/results.json. What it means stands in bench/README.md.
import assert from "node:assert/strict"
import { execFileSync, spawnSync } from "node:child_process"
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import os from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { unpackCorpus } from "./corpus.mjs"
import { measure, memoryFrom } from "./measure.mjs"
import { rowsOf, tableOf, targetsOf } from "./table.mjs"
import { envOf, hashTree, HELP, TOOLS } from "./tools.mjs"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "11" },
    "first-rounds": { type: "string", default: "3" },
    out: { type: "string", default: resolve(import.meta.dirname, "results.json") },
  },
})
const ROUNDS = Number(values.rounds)
const FIRST_ROUNDS = Number(values["first-rounds"])
const CHANGED_SHARE = 100
/** A file that changed just before it was looked at is looked at again; no tool shall pay for our haste. */
const SETTLE_MS = 2_600

const samples = []
let verified = 0

const root = mkdtempSync(join(os.tmpdir(), "bm-bench-"))
try {
  await main()
} finally {
  rmSync(root, { recursive: true, force: true })
}

async function main() {
  const source = join(root, "source")
  const corpus = unpackCorpus(positionals[0], source)
  const expected = hashTree(source)
  const loadBefore = load()
  const tools = TOOLS.filter(({ version }) => version !== undefined)
  assert(
    tools.some(({ name }) => name === "bm"),
    "bm does not run: npm run build",
  )
  const worlds = await firstSyncs(tools, source, expected)
  await settle(tools, worlds)
  for (let round = 0; round < ROUNDS; round++) await quietRound(inTurn(tools, round), worlds)
  for (let round = 0; round < ROUNDS; round++) await start()
  for (let round = 0; round < FIRST_ROUNDS; round++) await changedRound(inTurn(tools, round), worlds, round)
  const rows = rowsOf(samples)
  const missing = TOOLS.filter(({ version }) => version === undefined).map(({ name }) => ({
    tool: name,
    why: "not installed",
  }))
  const result = {
    schema: "bm.bench/1",
    at: new Date().toISOString(),
    corpus: { ...corpus, ...expected },
    machine: machine(),
    versions: {
      node: process.version,
      ...Object.fromEntries(TOOLS.map(({ name, version }) => [name, version ?? null])),
    },
    memoryFrom,
    loadBefore,
    loadAfter: load(),
    verified,
    missing,
    rows,
    targets: targetsOf(rows),
  }
  writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`)
  process.stdout.write(`${tableOf(result)}\n`)
}

/** Every round starts from nothing; the worlds of the last one are used from there on. */
async function firstSyncs(tools, source, expected) {
  let worlds = new Map()
  for (let round = 0; round < FIRST_ROUNDS; round++) {
    for (const { a } of worlds.values()) rmSync(resolve(a, ".."), { recursive: true, force: true })
    worlds = new Map()
    for (const tool of inTurn(tools, round)) {
      const home = join(root, `${tool.name}-${round}`)
      const world = { home, a: join(home, "a"), b: join(home, "b") }
      mkdirSync(world.b, { recursive: true })
      cpSync(source, world.a, { recursive: true, preserveTimestamps: true })
      writeToDisk()
      await sample("first sync", tool, tool.first(world), world)
      verify(tool, world)
      assert.deepEqual(hashTree(world.b), expected, `${tool.name} copied something else than the corpus`)
      worlds.set(tool.name, world)
    }
  }
  return worlds
}

/** A first look after many changes reads more than one after none; it is not what the quiet rounds are about. */
async function settle(tools, worlds) {
  await new Promise((done) => setTimeout(done, SETTLE_MS))
  for (const tool of tools) {
    const world = worlds.get(tool.name)
    for (let time = 0; time < 2; time++) await measure(tool.again(world), envOf(world))
  }
}

async function quietRound(tools, worlds) {
  for (const tool of tools) {
    const world = worlds.get(tool.name)
    await sample("no change", tool, tool.again(world), world)
    if (tool.dryRun !== undefined) await sample("dry run", tool, tool.dryRun(world), world)
  }
}

async function changedRound(tools, worlds, round) {
  for (const tool of tools) {
    const world = worlds.get(tool.name)
    const files = filesBelow(world.a)
    for (let at = round; at < files.length; at += CHANGED_SHARE)
      appendFileSync(files[at], `\nchanged in round ${round}\n`)
    writeToDisk()
    await sample("1 % changed", tool, tool.again(world), world)
    verify(tool, world)
    await settle([tool], worlds)
  }
}

async function start() {
  const world = { home: join(root, "nobody") }
  mkdirSync(world.home, { recursive: true })
  await sample("start", { name: "node" }, [process.execPath, "-e", "0"], world)
  await sample("start", { name: "bm" }, HELP, world)
}

async function sample(workload, { name: tool }, command, world) {
  samples.push({ workload, tool, ...(await measure(command, envOf(world))) })
}

function verify({ name }, { a, b }) {
  assert.deepEqual(hashTree(b), hashTree(a), `${name} left the two folders different`)
  verified += 1
}

/** Nobody is always first. */
function inTurn(tools, round) {
  const first = round % tools.length
  return [...tools.slice(first), ...tools.slice(0, first)]
}

function filesBelow(directory) {
  return readdirSync(directory, { recursive: true })
    .filter((path) => !/^\.(basic-memory|git)(\/|$)/.test(path))
    .map((path) => join(directory, path))
    .filter((path) => statSync(path).isFile())
    .sort()
}

/** So that no tool waits for what the one before it, or the setup, has left to be written. */
function writeToDisk() {
  spawnSync("sync")
}

function load() {
  return Math.round(os.loadavg()[0] * 100) / 100
}

function machine() {
  const disk = execFileSync("df", ["-PT", os.tmpdir()], { encoding: "utf8" })
    .trim()
    .split("\n")
    .at(-1)
    ?.split(/\s+/)[1]
  return {
    cpu: os.cpus()[0]?.model,
    cores: os.cpus().length,
    memoryMb: Math.round(os.totalmem() / 2 ** 20),
    system: `${os.type()} ${os.release()}`,
    fileSystem: disk,
  }
}
