// `npm run bench:s3`: a folder and a bucket on 10,000 small notes, the product and rclone in turn, in the same run.
//
//   node bench/s3.mjs [--rounds N] [--delays 0,30] [--quick] [--out FILE] [ARCHIVE.tar.gz]        (after `npm run build`)
//
// --quick leaves out the slowest peer: rclone's own first sync of a bisync, minutes with 30 ms, is made without a delay.
//
// A versitygw on loopback stands behind a proxy that counts requests and adds a delay to each. Setup and verification
// are outside the clock; after every sync that moves bytes, folder and bucket are compared by hash. Slow peers run once.
import assert from "node:assert/strict"
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import os from "node:os"
import { dirname, join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { findServer } from "../test/servers/install.mjs"
import { unpackCorpus } from "./corpus.mjs"
import { measure } from "./measure.mjs"
import { loadServers } from "./servers.mjs"
import { rowsOf } from "./table.mjs"
import { envOf, hashTree } from "./tools.mjs"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    delays: { type: "string", default: "0,30" },
    quick: { type: "boolean", default: false },
    out: { type: "string", default: resolve(import.meta.dirname, "results-s3.json") },
  },
})
const ROUNDS = Number(values.rounds)
const MAIN = process.env.BM_MAIN ?? resolve(import.meta.dirname, "../dist/main.js")
const BEST = ["--compare", "size,checksum", "--fast-list", "--checkers", "64", "--transfers", "64"]

const root = mkdtempSync(join(os.tmpdir(), "bm-bench-s3-"))
const { startServer, startProxy } = await loadServers()
const rclone = findServer("rclone")
const samples = []
const counts = {}

try {
  assert(rclone.path, rclone.reason)
  const source = join(root, "source")
  const corpus = unpackCorpus(positionals[0], source)
  const expected = hashTree(source)
  for (const delayMs of values.delays.split(",").map(Number)) await benchAt(delayMs, source, expected)
  const rows = rowsOf(samples).map((row) => ({ ...row, requests: counts[`${row.workload}\0${row.tool}`] }))
  const result = {
    schema: "bm.bench-s3/1",
    at: new Date().toISOString(),
    corpus: { ...corpus, ...expected },
    machine: { cpus: os.cpus().length, node: process.version, load: os.loadavg()[0] },
    rows,
    targets: targetsOf(rows),
  }
  writeFileSync(values.out, `${JSON.stringify(result, undefined, 2)}\n`)
  print(result)
} finally {
  rmSync(root, { recursive: true, force: true })
}

async function benchAt(delayMs, source, expected) {
  const server = await startServer("versitygw")
  const proxy = await startProxy(server, {})
  const worlds = {}
  const world = async (name) => {
    const bucket = await server.newBucket()
    const home = join(root, `${name}-${delayMs}`)
    const notes = join(home, "notes")
    mkdirSync(home, { recursive: true })
    cpSync(source, notes, { recursive: true, preserveTimestamps: true })
    const conf = join(home, "rclone.conf")
    writeFileSync(conf, confOf(server, proxy), { mode: 0o600 })
    const keys = {
      AWS_ACCESS_KEY_ID: server.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
      AWS_REGION: server.region,
      RCLONE_CONFIG: conf,
    }
    const env = { ...envOf({ home }), ...keys }
    // Where its remote is one of rclone's, the product looks for it on PATH.
    env.PATH = `${dirname(rclone.path)}:${env.PATH}`
    worlds[name] = { bucket, notes, env, url: proxy.urlOf(bucket) }
    return worlds[name]
  }
  const run = async (workload, tool, command, env) => {
    proxy.reset()
    proxy.delayMs = delayMs
    const sample = await measure(command, env)
    proxy.delayMs = 0
    const name = `${workload}, ${delayMs} ms`
    samples.push({ workload: name, tool, ...sample })
    counts[`${name}\0${tool}`] = Object.fromEntries(Object.entries(proxy.counts.all).filter(([, n]) => n > 0))
  }
  const same = ({ bucket, notes }) => {
    assert.deepEqual(hashTree(join(server.root, bucket)), hashTree(notes), "folder and bucket are equal")
  }
  try {
    const ours = await world("bm")
    const setup = ({ notes }, url) => {
      const options = ["--dir", notes, "--remote", url, "--device", "bench"]
      return [process.execPath, MAIN, "cloud", "bisync-setup", ...options]
    }
    await run("first sync", "bm", setup(ours, ours.url), ours.env)
    same(ours)
    const via = await world("via")
    await run("first sync", "bm by rclone", setup(via, `rclone:s3:${via.bucket}`), via.env)
    same(via)
    assert.equal(hashTree(ours.notes).sha256, expected.sha256)
    const copied = await world("copy")
    const copy = [
      rclone.path,
      "copy",
      copied.notes,
      `s3:${copied.bucket}`,
      "--transfers",
      "64",
      "--fast-list",
    ]
    await run("first sync", "rclone copy, best", copy, copied.env)
    const theirs = await world("rclone")
    const bisync = (...flags) => [
      rclone.path,
      "bisync",
      theirs.notes,
      `s3:${theirs.bucket}`,
      "--workdir",
      join(root, `workdir-${delayMs}`),
      ...flags,
    ]
    if (values.quick) await measure(bisync("--resync"), theirs.env)
    else await run("first sync", "rclone bisync --resync", bisync("--resync"), theirs.env)
    same(theirs)
    await run("no change", "rclone bisync", bisync(), theirs.env)
    const bm = (...args) => [process.execPath, MAIN, "cloud", "bisync", ...args]
    for (let round = 0; round < ROUNDS; round++) {
      await run("no change", "bm", bm(), ours.env)
      await run("no change", "bm by rclone", bm(), via.env)
      await run("no change", "rclone bisync, best", bisync(...BEST), theirs.env)
      await run("dry run", "bm", bm("--dry-run"), ours.env)
    }
    for (let round = 0; round < ROUNDS; round++) {
      for (const { notes } of [ours, via, theirs]) editOneInHundred(notes, round)
      await run("1 % changed", "bm", bm(), ours.env)
      await run("1 % changed", "bm by rclone", bm(), via.env)
      await run("1 % changed", "rclone bisync, best", bisync(...BEST), theirs.env)
      same(ours)
      same(via)
    }
    for (const { notes } of [ours, via]) appendFileSync(anyNote(notes), "one more line\n")
    await run("one edited", "bm", bm(), ours.env)
    await run("one edited", "bm by rclone", bm(), via.env)
    same(ours)
    same(via)
  } finally {
    await proxy.stop()
    await server.stop()
  }
}

function confOf({ accessKeyId, secretAccessKey, region }, { endpoint }) {
  return [
    "[s3]",
    "type = s3",
    "provider = Other",
    "env_auth = false",
    `access_key_id = ${accessKeyId}`,
    `secret_access_key = ${secretAccessKey}`,
    `endpoint = ${endpoint}`,
    `region = ${region}`,
    "",
  ].join("\n")
}

function notesIn(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".md"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes("/.basic-memory/"))
    .sort()
}

function anyNote(directory) {
  return notesIn(directory)[0]
}

function editOneInHundred(directory, round) {
  for (const [index, path] of notesIn(directory).entries())
    if (index % 100 === round) appendFileSync(path, `round ${round}\n`)
}

function targetsOf(rows) {
  const at = (workload, tool) => rows.find((row) => row.workload === workload && row.tool === tool)?.wallMs
  const ratio = (name, max, workload, peer, tool = "bm") => {
    const [of, to] = [at(workload, tool), at(workload, peer)]
    const value = of === undefined || to === undefined ? undefined : Math.round((of / to) * 1000) / 1000
    return { name, max, value, isMet: value === undefined ? undefined : value <= max }
  }
  const dry = at("dry run, 30 ms", "bm")
  const quiet = at("no change, 30 ms", "bm")
  const dryRatio = dry && quiet ? Math.round((dry / quiet) * 100) / 100 : undefined
  return [
    ratio("first sync ÷ rclone copy, 30 ms", 0.6, "first sync, 30 ms", "rclone copy, best"),
    ratio("first sync ÷ rclone bisync, 30 ms", 0.06, "first sync, 30 ms", "rclone bisync --resync"),
    ratio("no change ÷ rclone's best, 30 ms", 0.35, "no change, 30 ms", "rclone bisync, best"),
    ratio("no change ÷ rclone's default, 30 ms", 0.012, "no change, 30 ms", "rclone bisync"),
    ratio(
      "no change by rclone ÷ rclone's best, 30 ms",
      1,
      "no change, 30 ms",
      "rclone bisync, best",
      "bm by rclone",
    ),
    ratio(
      "1 % changed by rclone ÷ rclone's best, 30 ms",
      1,
      "1 % changed, 30 ms",
      "rclone bisync, best",
      "bm by rclone",
    ),
    {
      name: "dry run ÷ no change, 30 ms",
      max: 1.05,
      value: dryRatio,
      isMet: dryRatio === undefined ? undefined : dryRatio <= 1.05,
    },
  ]
}

function print({ rows, targets }) {
  for (const { workload, tool, runs, wallMs, wallMsMin, cpuMs, peakRssMb, requests } of rows) {
    const asked = Object.entries(requests ?? {}).map(([kind, n]) => `${n} ${kind}`)
    console.log(
      [
        workload.padEnd(20),
        tool.padEnd(24),
        `${runs} runs`,
        `median ${wallMs} ms`,
        `min ${wallMsMin} ms`,
        `CPU ${cpuMs} ms`,
        `${peakRssMb} MB`,
        asked.join(" "),
      ].join("  "),
    )
  }
  for (const { name, max, value, isMet } of targets)
    console.log(
      `${name}: ${value ?? "-"}, target ≤ ${max}: ${isMet === undefined ? "not measured" : isMet ? "met" : "NOT MET"}`,
    )
}
