/**
 * Finds the real servers and peers that tests talk to, and installs those that are missing.
 *
 *   node test/servers/install.mjs rclone versitygw minio ceph      installs, says where, exits 1 if one cannot be had
 *   node test/servers/install.mjs python-client                    needs Python 3.12; pip asks the index that it is set to
 *
 * They live in a cache folder ($BM_SERVER_CACHE, or ~/.cache/bm-servers/bin), never in the checkout. Tests only ever
 * find; nothing is installed while they run. Versions are exact: what is promised was measured with these.
 */

import { spawnSync } from "node:child_process"
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { homedir, tmpdir } from "node:os"
import { delimiter, join, resolve } from "node:path"

const INSTALL_MS_MAX = 20 * 60_000
const ASK_MS_MAX = 20_000

const VENV_COMPLETE = "bm-complete"

const CEPH_COMMANDS = [
  "radosgw",
  "radosgw-admin",
  "ceph",
  "ceph-mon",
  "ceph-osd",
  "ceph-authtool",
  "monmaptool",
]
const CEPH_PACKAGES = ["radosgw", "ceph-mon", "ceph-osd", "ceph-common"]

/** What can be had, how it is recognised, and where it comes from. The first command is the one that answers name. */
const SERVERS = {
  rclone: {
    from: "go",
    commands: ["rclone"],
    module: "github.com/rclone/rclone@v1.76.0",
    says: /^rclone v1\.76\.0\b/,
  },
  // The oldest that is promised. It is never put on PATH, where it would be taken for the newer one.
  "rclone-oldest": {
    from: "deb",
    commands: ["rclone-oldest", "rclone"],
    packages: ["rclone"],
    says: /^rclone v1\.60\.1\b/,
    within: "usr/bin/rclone",
  },
  versitygw: {
    from: "go",
    commands: ["versitygw"],
    module: "github.com/versity/versitygw/cmd/versitygw@v1.8.0",
  },
  minio: {
    from: "go",
    commands: ["minio"],
    module: "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c",
  },
  ceph: { from: "apt", commands: CEPH_COMMANDS, packages: CEPH_PACKAGES },
  s3rver: { from: "npm", package: "s3rver@3.7.1", within: "node_modules/s3rver/bin/s3rver.js" },
  fauxqs: {
    from: "npm",
    package: "fauxqs@2.4.1",
    within: "node_modules/fauxqs/dist/app.js",
    nodeMajorMin: 22,
  },
  // The existing client of the cloud service: no server, and it judges the one of ours.
  "python-client": {
    from: "pip",
    packages: ["basic-memory==0.15.2", "mcp==1.19.0", "fastmcp==2.10.2", "pydantic==2.11.10"],
    within: "bin/bm",
    pythonMinorMin: 12,
  },
}

export const SERVER_NAMES = Object.keys(SERVERS)

export function cacheDirectory() {
  return resolve(process.env.BM_SERVER_CACHE || join(homedir(), ".cache", "bm-servers", "bin"))
}

/** Where it is, or why it cannot be had. Looks only. */
export function findServer(name) {
  const server = SERVERS[name]
  if (server === undefined) return { reason: `no server is called ${name}`, isHopeless: true }
  if (Number(process.versions.node.split(".")[0]) < (server.nodeMajorMin ?? 0))
    return { reason: `${name} needs Node ${server.nodeMajorMin}`, isHopeless: true }
  const path = find(name, server)
  if (path !== undefined) return { path }
  return { reason: `${name} is not installed; node test/servers/install.mjs ${name} does it` }
}

/** Finds it, or installs it into the cache; answers where it is, or why not. */
export function installServer(name) {
  const found = findServer(name)
  const server = SERVERS[name]
  if (found.path !== undefined || found.isHopeless) return found
  mkdirSync(cacheDirectory(), { recursive: true })
  const trouble = INSTALLERS[server.from](name, server)
  if (trouble !== undefined) return { reason: `${name}: ${trouble}` }
  const installed = findServer(name)
  return installed.path === undefined
    ? { reason: `${name} was installed and is not what was expected` }
    : installed
}

function find(name, server) {
  if (server.from === "npm") return findPackage(name, server)
  return server.from === "pip" ? findVenv(name, server) : findCommands(server)
}

function findPackage(name, server) {
  const path = join(cacheDirectory(), "packages", name, server.within)
  return existsSync(path) ? path : undefined
}

/** One that is complete, and of these versions: its last file says so. */
function findVenv(name, server) {
  const venv = join(cacheDirectory(), "packages", name)
  const path = join(venv, server.within)
  try {
    const isComplete = readFileSync(join(venv, VENV_COMPLETE), "utf8") === server.packages.join("\n")
    return isComplete && isExecutable(path) ? path : undefined
  } catch {
    return undefined
  }
}

/** The first command decides; a server of several commands needs them all, and answers the first one's place. */
function findCommands(server) {
  if (server.says !== undefined)
    return server.commands.flatMap(everyPlace).find((path) => server.says.test(run(path, ["version"]).out))
  const places = server.commands.map((command) => everyPlace(command)[0])
  return places.includes(undefined) ? undefined : places[0]
}

/** Every executable of this name: the cache first, since it has the exact versions, then PATH. */
function everyPlace(command) {
  const directories = [
    cacheDirectory(),
    ...(process.env.PATH ?? "").split(delimiter).filter((each) => each !== ""),
  ]
  return directories.map((directory) => join(directory, command)).filter(isExecutable)
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Each answers nothing, or what went wrong. */
const INSTALLERS = {
  go: (name, server) => {
    const go = [...everyPlace("go"), "/usr/local/go/bin/go"].find(isExecutable)
    if (go === undefined) return "needs Go, which is neither on PATH nor in /usr/local/go"
    // Built beside and renamed: a build that is stopped must not leave half a command behind.
    const building = mkdtempSync(join(cacheDirectory(), ".building-"))
    try {
      const built = run(go, ["install", "-ldflags=-s -w", server.module], { GOBIN: building })
      if (built.trouble !== undefined) return `go install failed: ${built.trouble}`
      renameSync(join(building, name), join(cacheDirectory(), name))
    } finally {
      rmSync(building, { recursive: true, force: true })
    }
    return undefined
  },
  apt: (_, server) => {
    const isRoot = process.getuid?.() === 0
    if (!isRoot || everyPlace("apt-get").length === 0)
      return `needs the Debian packages ${server.packages.join(" ")}; installing them takes root and apt-get`
    run("apt-get", ["update", "-qq"])
    return run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...server.packages], {
      DEBIAN_FRONTEND: "noninteractive",
    }).trouble
  },
  deb: (name, server) => {
    if (everyPlace("apt-get").length === 0)
      return `needs apt-get to fetch the Debian package ${server.packages[0]}`
    const directory = mkdtempSync(join(tmpdir(), "bm-install-"))
    try {
      if (process.getuid?.() === 0) run("apt-get", ["update", "-qq"])
      const fetched = run(
        "apt-get",
        ["download", "-qq", "-o", "APT::Sandbox::User=root", ...server.packages],
        {},
        directory,
      )
      if (fetched.trouble !== undefined) return `apt-get download failed: ${fetched.trouble}`
      const file = readdirSync(directory).find((each) => each.endsWith(".deb"))
      if (file === undefined) return "apt-get download brought nothing"
      const unpacked = run("dpkg-deb", ["-x", join(directory, file), join(directory, "root")])
      if (unpacked.trouble !== undefined) return `dpkg-deb failed: ${unpacked.trouble}`
      const moved = run("cp", [join(directory, "root", server.within), join(cacheDirectory(), name)])
      return moved.trouble
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
  npm: (name, server) => {
    const prefix = join(cacheDirectory(), "packages", name)
    mkdirSync(prefix, { recursive: true })
    const options = ["--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"]
    return run("npm", ["install", ...options, "--prefix", prefix, server.package]).trouble
  },
  pip: (name, server) => {
    const python = findPython(server.pythonMinorMin)
    if (python === undefined)
      return `needs Python 3.${server.pythonMinorMin} or newer, which is neither on PATH nor among pyenv's versions`
    // A virtual environment cannot be moved once it is made, so it is made in its place and says when it is complete.
    const venv = join(cacheDirectory(), "packages", name)
    rmSync(venv, { recursive: true, force: true })
    const made = run(python, ["-m", "venv", venv])
    if (made.trouble !== undefined) return `python -m venv failed: ${made.trouble}`
    const options = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    const installed = run(join(venv, "bin", "python"), [...options, ...server.packages])
    if (installed.trouble !== undefined) return `pip install failed: ${installed.trouble}`
    writeFileSync(join(venv, VENV_COMPLETE), server.packages.join("\n"))
    return undefined
  },
}

/** The first that is new enough: of PATH, or of pyenv, where those that are not chosen are not on PATH. */
function findPython(minorMin) {
  const names = ["python3", "python3.14", "python3.13", "python3.12", "python"]
  const pyenv = join(process.env.PYENV_ROOT || join(homedir(), ".pyenv"), "versions")
  const chosen = (process.env.PYENV_VERSION ?? "").split(":").filter((each) => each !== "")
  const versions = [...chosen, ...(existsSync(pyenv) ? readdirSync(pyenv) : [])]
  const places = [
    ...names.flatMap(everyPlace),
    ...versions.map((each) => join(pyenv, each, "bin", "python3")),
  ]
  const question = `import sys, venv, ensurepip; sys.exit(not ((3, ${minorMin}) <= sys.version_info < (4,)))`
  return places.filter(isExecutable).find((path) => run(path, ["-c", question]).trouble === undefined)
}

function run(command, args, environment = {}, cwd = process.cwd()) {
  const isAsking = args[0] === "version" || args[0] === "-c"
  const ran = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...environment },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: isAsking ? ASK_MS_MAX : INSTALL_MS_MAX,
    maxBuffer: 64 * 1024 * 1024,
  })
  if (ran.status === 0) return { out: ran.stdout }
  const said = (ran.stderr || ran.stdout || "").trim().split("\n").slice(-3).join(" | ")
  return {
    out: ran.stdout ?? "",
    trouble: ran.error?.message ?? (said || `${command} ended with ${ran.status}`),
  }
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  const names = process.argv.slice(2)
  if (names.length === 0) console.log(`which of ${SERVER_NAMES.join(" ")}?`)
  for (const name of names) {
    const before = findServer(name)
    if (before.path === undefined && !before.isHopeless) console.log(`${name}: installing`)
    const after = installServer(name)
    console.log(after.path === undefined ? `error: ${after.reason}` : `${name}: ${after.path}`)
    if (after.path === undefined) process.exitCode = 1
  }
}
