// Syncs real notes between two devices that are edited at random, and proves that nothing went wrong.
//
//   node scripts/soak-corpus.mjs [--rounds N] [--seed N] ARCHIVE.tar.gz…      (after `npm run build`)
//
// Each archive is unpacked into a temporary folder on device a. Per round both devices are edited without a sync in
// between: lines changed, notes added, deleted, renamed, folders renamed. At the end both devices and the remote are
// equal, a further run has nothing to do, the history verifies, and stock git finds its repository sound.
import assert from "node:assert/strict"
import { execFileSync, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "4" }, seed: { type: "string", default: "1" } },
})
const MAIN = path.resolve(import.meta.dirname, "../dist/main.js")
let state = Number(values.seed)
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * below)
}
let clock = Date.parse("2026-03-02T09:00:00Z")

for (const archive of positionals) soak(archive)

function soak(archive) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "bm-soak-"))
  try {
    const cloud = path.join(root, "cloud")
    fs.mkdirSync(cloud)
    const devices = ["a", "b"].map((name) => ({
      name,
      home: path.join(root, name),
      dir: path.join(root, name, "notes"),
    }))
    for (const { dir } of devices) fs.mkdirSync(dir, { recursive: true })
    fs.mkdirSync(path.join(devices[0].dir, "vault"))
    execFileSync("tar", ["xzf", path.resolve(archive), "-C", path.join(devices[0].dir, "vault")])
    for (const device of devices)
      bm(
        device,
        [0],
        "cloud",
        "bisync-setup",
        "--dir",
        device.dir,
        "--remote",
        `file:${cloud}`,
        "--device",
        device.name,
      )
    let conflicts = 0
    for (let round = 1; round <= Number(values.rounds); round++) {
      for (const device of devices) edit(device, 40)
      for (const device of devices) conflicts += sync(device)
    }
    for (const device of [...devices, ...devices]) conflicts += sync(device)
    check(devices, cloud, path.basename(archive), conflicts)
  } finally {
    fs.rmSync(root, { recursive: true, force: true })
  }
}

function check(devices, cloud, name, conflicts) {
  const expected = tree(cloud)
  for (const device of devices) {
    assert.deepEqual(tree(device.dir), expected, `${device.name} equals the remote`)
    const plan = JSON.parse(bm(device, [0], "cloud", "bisync", "--dry-run", "--json"))
    assert.equal(plan.verdict, "nothing", `${device.name} has nothing to do`)
    bm(device, [0], "cloud", "history", "verify")
    const fsck = spawnSync("git", ["-C", device.dir, "fsck", "--strict"], { encoding: "utf8" })
    assert.equal(fsck.status, 0, fsck.stderr)
  }
  console.log(
    `${name}: ${Object.keys(expected).length} files equal on 2 devices and the remote, ${conflicts} conflicts decided, seed ${values.seed}: nothing to do, history verified, git fsck clean`,
  )
}

function sync(device) {
  const lines = bm(device, [0, 6], "cloud", "bisync", "--max-delete", "1000000", "--json").trim().split("\n")
  return JSON.parse(lines.at(-1)).conflicts.length
}

function bm({ home }, codes, ...args) {
  const ran = spawnSync(process.execPath, [MAIN, ...args], {
    env: { ...process.env, HOME: home, BASIC_MEMORY_CONFIG_DIR: "" },
    encoding: "utf8",
    maxBuffer: 1 << 30,
  })
  assert.ok(
    codes.includes(ran.status),
    `bm ${args.join(" ")} ended with ${ran.status}\n${ran.stdout.slice(-2000)}\n${ran.stderr}`,
  )
  return ran.stdout
}

function edit({ dir, name }, times) {
  for (let i = 0; i < times; i++) {
    const files = Object.keys(tree(dir))
    const file = path.join(dir, files[random(files.length)])
    const folder = path.dirname(file)
    const kind = random(10)
    if (kind < 4) write(file, mutate(fs.readFileSync(file), name))
    else if (kind < 6)
      write(
        path.join(folder, `new ${name} ${random(1e6)}.md`),
        Buffer.from(`# Note ${random(1e9)}\n\nfrom ${name}\n`),
      )
    else if (kind < 7) fs.rmSync(file)
    else if (kind < 9)
      fs.renameSync(file, path.join(folder, `renamed ${name} ${random(1e6)}${path.extname(file)}`))
    else if (folder !== dir && path.dirname(folder) !== dir)
      fs.renameSync(folder, `${folder} ${name}${random(100)}`)
  }
}

function mutate(bytes, name) {
  const lines = bytes.toString("latin1").split("\n")
  lines.splice(random(lines.length + 1), random(3), `edited on ${name}: ${random(1e9)}`)
  return Buffer.from(lines.join("\n"), "latin1")
}

function write(file, bytes) {
  clock += 5000 + random(60_000)
  fs.writeFileSync(file, bytes)
  fs.utimesSync(file, new Date(clock), new Date(clock))
}

function tree(dir) {
  const found = {}
  const walk = (at) => {
    for (const entry of fs.readdirSync(path.join(dir, at), { withFileTypes: true })) {
      if (at === "" && (entry.name === ".basic-memory" || entry.name === ".git")) continue
      const name = at === "" ? entry.name : `${at}/${entry.name}`
      if (entry.isDirectory()) walk(name)
      else
        found[name] = createHash("sha256")
          .update(fs.readFileSync(path.join(dir, name)))
          .digest("hex")
    }
  }
  walk("")
  return Object.fromEntries(Object.entries(found).sort())
}
