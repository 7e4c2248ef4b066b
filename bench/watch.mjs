// `node bench/watch.mjs`: how soon a save is in the cloud, what a watcher costs that has nothing to do, and what it holds.
//
//   node bench/watch.mjs [--edits N] [--runs N] [--sizes 1000,10000] [--remotes file,s3]             (after `npm run build`)
//
// A save is a note written in place, as an editor does it; it is in the cloud when the file of the remote holds what was
// written. Objects of the server, a versitygw on loopback, are files too, so both remotes are looked at alike and past the
// product. The next save comes when the watcher rests. Processor time and memory are what the kernel counts for the process.
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import os from "node:os"
import { join, resolve } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { parseArgs } from "node:util"
import { unpackCorpus } from "./corpus.mjs"
import { measure } from "./measure.mjs"
import { loadServers } from "./servers.mjs"
import { envOf, hashTree } from "./tools.mjs"

const { values } = parseArgs({
  options: {
    edits: { type: "string", default: "200" },
    runs: { type: "string", default: "500" },
    sizes: { type: "string", default: "1000,10000" },
    remotes: { type: "string", default: "file,s3" },
  },
})
const EDITS = Number(values.edits)
const RUNS = Number(values.runs)
const MAIN = process.env.BM_MAIN ?? resolve(import.meta.dirname, "../dist/main.js")
const IDLE_MS = 20_000
const INTERVAL_S = 60
const POLL_MS = 1
/** Nearer than the interval, further than a hint: the watcher rests. */
const REST_MS = 1_500
const WAIT_MS_MAX = 120_000
/** Of the clock in /proc, on every Linux. */
const TICKS_PER_S = 100
const TARGETS = { p50Ms: 300, p95Ms: 800, idlePercent: 1 }

const root = mkdtempSync(join(os.tmpdir(), "bm-bench-watch-"))
const rows = []
try {
  assert(existsSync("/proc/self/stat"), "processor time and memory are read from /proc")
  for (const remote of values.remotes.split(","))
    for (const files of values.sizes.split(",").map(Number)) rows.push(await benchAt(remote, files))
  print()
} finally {
  rmSync(root, { recursive: true, force: true })
}

async function benchAt(remote, files) {
  const place = join(root, `${remote}-${files}`)
  const world = { home: join(place, "home"), notes: join(place, "home/notes") }
  mkdirSync(world.home, { recursive: true })
  unpackCorpus(undefined, world.notes)
  const paths = notesIn(world.notes)
  for (const path of paths.splice(files)) rmSync(join(world.notes, path))
  const target = await (remote === "s3" ? bucket() : folder(place))
  const env = { ...envOf(world), ...target.env }
  try {
    const setup = ["cloud", "bisync-setup", "--dir", world.notes, "--remote", target.url, "--device", "bench"]
    await measure([process.execPath, MAIN, ...setup], env)
    const row = await watch({ ...world, env, paths, cloud: target.folder })
    assert.equal(
      hashTree(world.notes).sha256,
      hashTree(target.folder).sha256,
      "both sides are equal at the end",
    )
    return { remote, files, ...row }
  } finally {
    await target.stop()
    rmSync(place, { recursive: true, force: true })
  }
}

function folder(place) {
  const path = join(place, "remote")
  mkdirSync(path)
  return { url: `file:${path}`, folder: path, env: {}, stop: async () => {} }
}

async function bucket() {
  const { startServer } = await loadServers()
  const server = await startServer("versitygw")
  const env = { AWS_ACCESS_KEY_ID: server.accessKeyId, AWS_SECRET_ACCESS_KEY: server.secretAccessKey }
  return {
    url: server.url,
    folder: join(server.root, server.bucket),
    env: { ...env, AWS_EC2_METADATA_DISABLED: "true" },
    stop: () => server.stop(),
  }
}

async function watch(world) {
  const startedMs = performance.now()
  const args = [MAIN, "sync", "--watch", "--interval", String(INTERVAL_S)]
  const child = spawn(process.execPath, args, { env: world.env, stdio: ["ignore", "pipe", "inherit"] })
  let said = ""
  child.stdout.on("data", (piece) => (said += piece))
  const ended = new Promise((done) => child.on("close", done))
  try {
    const beat = heartbeatOf(world)
    await until("it rests", () => beat() > Date.now() + REST_MS)
    const readyMs = performance.now() - startedMs
    const idle = await idleOf(child.pid, beat)
    const rssBeforeMb = rssMb(child.pid)
    const saves = []
    let rssEditsMb
    for (let number = 0; number < RUNS; number++) {
      saves.push(await save(world, beat, number))
      if (saves.length === EDITS) rssEditsMb = rssMb(child.pid)
    }
    const rssAfterMb = rssMb(child.pid)
    child.kill("SIGINT")
    assert.equal(await ended, 0, said)
    const runs = Number(/Stopped after (\d+) runs?/.exec(said)?.[1])
    return { readyMs, ...idle, ...spreadOf(saves.slice(0, EDITS)), rssBeforeMb, rssEditsMb, rssAfterMb, runs }
  } finally {
    child.kill("SIGKILL")
    await ended
  }
}

/** Without a look at the cloud for 20 s, and with the one that the interval brings. */
async function idleOf(pid, beat) {
  const [beganMs, beganCpuMs] = [performance.now(), cpuMs(pid)]
  await delay(IDLE_MS)
  const restPercent = ((cpuMs(pid) - beganCpuMs) / (performance.now() - beganMs)) * 100
  const next = beat()
  await until("the interval is over", () => beat() > next && beat() > Date.now() + REST_MS)
  const idlePercent = ((cpuMs(pid) - beganCpuMs) / (performance.now() - beganMs)) * 100
  return { restPercent, idlePercent }
}

async function save({ notes, cloud, paths }, beat, number) {
  const path = paths[(number * 37) % paths.length]
  const text = `# edit ${number}\n\n${"some words that were written ".repeat(20)}\n`
  const [here, there] = [join(notes, path), join(cloud, path)]
  const startedMs = performance.now()
  writeFileSync(here, text)
  await until("the save is in the cloud", () => textOf(there) === text)
  const tookMs = performance.now() - startedMs
  await until("it rests", () => beat() > Date.now() + REST_MS)
  return tookMs
}

/** In the moment in which a file is replaced there may be none. */
function textOf(file) {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

/** When it runs next, in Unix milliseconds. */
function heartbeatOf({ home }) {
  const states = join(home, ".basic-memory/bisync-state")
  const [state] = readdirSync(states)
  return () => {
    const text = textOf(join(states, state, "watch.json"))
    return text === undefined ? 0 : Date.parse(JSON.parse(text).next_at)
  }
}

async function until(what, isSo) {
  const giveUpMs = performance.now() + WAIT_MS_MAX
  while (!isSo()) {
    assert(performance.now() < giveUpMs, `waited in vain: ${what}`)
    await delay(POLL_MS)
  }
}

/** User and system; the name before them may hold spaces and ends with the last parenthesis. */
function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ")
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_S
}

function rssMb(pid) {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024
}

function spreadOf(saves) {
  const sorted = saves.toSorted((a, b) => a - b)
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]
  return { p50Ms: at(0.5), p95Ms: at(0.95), maxMs: sorted.at(-1) }
}

function print() {
  const columns = {
    remote: "remote",
    files: "files",
    readyMs: "ready ms",
    p50Ms: "p50 ms",
    p95Ms: "p95 ms",
    maxMs: "max ms",
    restPercent: "CPU % at rest",
    idlePercent: `CPU % with the look every ${INTERVAL_S} s`,
    rssBeforeMb: "RSS MB before",
    rssEditsMb: `after ${EDITS} saves`,
    rssAfterMb: `after ${RUNS}`,
    runs: "runs",
  }
  const shown = (name, value) =>
    typeof value === "number" ? value.toFixed(name.endsWith("Percent") ? 2 : 0) : value
  console.log(Object.values(columns).join("  "))
  for (const row of rows)
    console.log(
      Object.entries(columns)
        .map(([name, title]) => String(shown(name, row[name])).padStart(title.length))
        .join("  "),
    )
  for (const [name, max] of Object.entries(TARGETS)) {
    const worst = Math.max(...rows.map((row) => row[name]))
    console.log(
      `${columns[name]}: worst ${shown(name, worst)}, target ≤ ${max}: ${worst <= max ? "met" : "NOT MET"}`,
    )
  }
  console.log(
    `${EDITS} saves, then on to ${RUNS}; node ${process.version}, load ${os.loadavg()[0].toFixed(2)}`,
  )
}

/** Paths of notes, always in the same order. */
function notesIn(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort()
}
