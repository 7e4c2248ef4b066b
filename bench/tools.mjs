// The product and its peers: how each one syncs a folder `a` with a folder `b`, and what it keeps beside them.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"

/** `BM_MAIN` names another build, to compare two of them or while this one is being rebuilt. */
const MAIN = process.env.BM_MAIN ?? resolve(import.meta.dirname, "../dist/main.js")

const bm = (...args) => [process.execPath, MAIN, ...args]
const unison = ({ a, b }) => ["unison", a, b, "-batch", "-ui", "text", "-times", "-perms", "0", "-silent"]
const rsync = ({ a, b }) => ["rsync", "-a", `${a}/`, `${b}/`]

/** A tool's `first` makes the first sync, `again` every later one. `world.home` is all that it may remember. */
export const TOOLS = [
  {
    name: "bm",
    version: versionOf(bm("--version")),
    first: ({ a, b }) =>
      bm("cloud", "bisync-setup", "--dir", a, "--remote", `file:${b}`, "--device", "bench"),
    again: () => bm("cloud", "bisync"),
    dryRun: () => bm("cloud", "bisync", "--dry-run"),
  },
  { name: "unison", version: versionOf(["unison", "-version"]), first: unison, again: unison },
  { name: "rsync", version: versionOf(["rsync", "--version"]), first: rsync, again: rsync },
]

export const HELP = bm("--help")

export function envOf({ home }) {
  const { BASIC_MEMORY_CONFIG_DIR: _, UNISON: __, ...env } = process.env
  return { ...env, HOME: home, NO_COLOR: "1", LC_ALL: "C.UTF-8" }
}

/** The first line that a tool says of itself; `undefined` where there is no such tool. */
function versionOf([command, ...args]) {
  const ran = spawnSync(command, args, { encoding: "utf8" })
  return ran.status === 0 ? ran.stdout.split("\n")[0].trim() : undefined
}

/** One hash over the paths and bytes of every note. What tools keep for themselves is no note. */
export function hashTree(root) {
  const hash = createHash("sha256")
  let files = 0
  const walk = (below) => {
    const entries = readdirSync(join(root, below), { withFileTypes: true })
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(below, entry.name)
      if (below === "" && (entry.name === ".basic-memory" || entry.name === ".git")) continue
      if (entry.isDirectory()) {
        walk(path)
        continue
      }
      files += 1
      hash.update(
        `${path}\0${createHash("sha256")
          .update(readFileSync(join(root, path)))
          .digest("hex")}\n`,
      )
    }
  }
  walk("")
  return { files, sha256: hash.digest("hex") }
}
