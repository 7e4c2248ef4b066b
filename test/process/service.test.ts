/**
 * `bm sync --install-service` and `--uninstall-service` with a systemd that is a script: what is written, what it is told,
 * and that the command which was written is a watcher with nothing but the environment that was written.
 *
 * Whether this machine is a container does not count, unless a test says that it is one.
 */

import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { type Cloud, type Device, newCloud, newDevice, put, type Ran } from "./bm.ts"
import { expectStops, TEST_MS_MAX, textIn, until, watcherOf } from "./watch-world.ts"

const UNIT = "basic-memory-sync.service"
const USAGE = 64

/** This process finds no mark of a container, and Linux. */
const PLAIN_LINUX = `
  import fs from "node:fs"
  import os from "node:os"
  import { syncBuiltinESMExports } from "node:module"
  const { lstatSync } = fs
  const marks = ["/.dockerenv", "/run/.containerenv"]
  fs.lstatSync = (path, ...rest) => marks.includes(path) ? undefined : lstatSync(path, ...rest)
  os.platform = () => "linux"
  syncBuiltinESMExports()`

/** Remembers what it is told, and what it has loaded, enabled and started, as files. */
const SYSTEMCTL = (unitFile: string, directory: string) => `#!/bin/sh
cd '${directory}' || exit 1
shift
verb=$1
case "$*" in *UnitPath*) printf 'Version=255.4\\nUnitPath=%s\\n' '${join(unitFile, "..")}'; exit 0;; esac
if [ "$verb" != show ]; then echo "$*" >> told; fi
if [ "$(cat fail 2>/dev/null)" = "$verb" ]; then echo 'it is not possible' >&2; exit 1; fi
case "$verb" in
  daemon-reload) if [ -f '${unitFile}' ]; then cp '${unitFile}' loaded; else rm -f loaded; fi;;
  enable) [ -f '${unitFile}' ] && : > enabled;;
  disable) rm -f enabled;;
  restart) [ -f loaded ] && : > active;;
  stop) rm -f active;;
  reset-failed) exit 1;;
  show)
    if [ -f loaded ]; then echo LoadState=loaded; else echo LoadState=not-found; fi
    if [ -f active ]; then echo ActiveState=active; else echo ActiveState=inactive; fi
    if [ -f enabled ]; then echo UnitFileState=enabled; else echo UnitFileState=; fi
    if [ -f loaded ] && ! cmp -s loaded '${unitFile}'; then echo NeedDaemonReload=yes; else echo NeedDaemonReload=no; fi;;
  *) exit 1;;
esac
`

interface World {
  readonly cloud: Cloud
  readonly device: Device
  readonly unitFile: string
  /** `bm sync` with these words, below that systemd. */
  sync(...words: readonly string[]): Promise<Ran>
  syncWith(env: Readonly<Record<string, string>>, ...words: readonly string[]): Promise<Ran>
  /** What systemd was told, without questions. */
  told(): readonly string[]
  /** From now on this fails. */
  fail(verb: string): void
}

function newWorld(places: { readonly stateRoot?: (root: string) => string } = {}): World {
  const cloud = newCloud()
  const stateRoot = places.stateRoot?.(cloud.root)
  const device = newDevice(join(cloud.root, "here"), cloud.remote, {
    ...(stateRoot !== undefined && { stateRoot }),
  })
  const unitFile = join(device.home, ".config/systemd/user", UNIT)
  const [programs, directory] = [join(cloud.root, "programs"), join(cloud.root, "systemd")]
  for (const each of [programs, directory]) mkdirSync(each)
  writeFileSync(join(programs, "systemctl"), SYSTEMCTL(unitFile, directory), { mode: 0o755 })
  writeFileSync(join(programs, "loginctl"), "#!/bin/sh\necho Linger=no\n", { mode: 0o755 })
  const usual = {
    PATH: `${programs}:/usr/bin:/bin`,
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(PLAIN_LINUX)}`,
  }
  return {
    cloud,
    device,
    unitFile,
    sync: (...words) => device.runWith(usual, "sync", ...words),
    syncWith: (env, ...words) => device.runWith({ ...usual, ...env }, "sync", ...words),
    told: () => (textIn(directory, "told") ?? "").split("\n").slice(0, -1),
    fail: (verb) => writeFileSync(join(directory, "fail"), verb),
  }
}

test("installs the service, once, and removes it, once", { timeout: TEST_MS_MAX }, async () => {
  const { device, unitFile, sync, told } = newWorld()
  await device.setUp()
  const installed = await sync("--install-service")
  expect(installed, installed.err).toMatchObject({ exit: 0, err: "" })
  expect(installed.out).toMatch(
    /^✓ Installed ~\/\.config\/systemd\/user\/basic-memory-sync\.service and started it \(every 60s\)\n! It stops when you log out\. Keep it running: loginctl enable-linger \S+\n {2}Remove: bm sync --uninstall-service · log: journalctl --user -u basic-memory-sync\n$/,
  )
  const begun = ["daemon-reload", `enable ${UNIT}`, `restart ${UNIT}`]
  expect(told()).toEqual(begun)
  const again = await sync("--install-service", "--json")
  expect(again, again.err).toMatchObject({ exit: 0, err: "" })
  expect(JSON.parse(again.out)).toEqual({
    schema: "bm.service/1",
    ok: true,
    action: "install",
    manager: "systemd-user",
    file: "~/.config/systemd/user/basic-memory-sync.service",
    running: true,
    linger: false,
    changed: false,
    unseen: [],
  })
  expect(told()).toEqual(begun)

  const removed = await sync("--uninstall-service")
  expect(removed, removed.err).toMatchObject({ exit: 0, err: "" })
  expect(removed.out).toMatch(/^✓ Stopped the service and removed ~\/\S+\n$/)
  expect(existsSync(unitFile)).toBe(false)
  const ended = [`stop ${UNIT}`, `disable ${UNIT}`, "daemon-reload", `reset-failed ${UNIT}`]
  expect(told()).toEqual([...begun, ...ended])
  expect(await sync("--uninstall-service")).toMatchObject({ exit: 0, out: "No service is installed\n" })
  expect(told()).toEqual([...begun, ...ended])
})

test("writes a command that watches with no other environment, and status knows it for a service", {
  timeout: TEST_MS_MAX,
}, async () => {
  const { cloud, device, unitFile, syncWith } = newWorld({ stateRoot: (root) => join(root, "moved state") })
  await device.setUp()
  const secrets = { AWS_ACCESS_KEY_ID: "AKIAOFTHISSHELL", AWS_SECRET_ACCESS_KEY: "secret-of-this-shell" }
  const installed = await syncWith(secrets, "--install-service", "--interval", "3600")
  expect(installed, installed.err).toMatchObject({ exit: 0 })
  expect(installed.out).toContain("! It does not see AWS_ACCESS_KEY_ID")
  const unit = readFileSync(unitFile, "utf8")
  for (const secret of Object.values(secrets)) expect(unit).not.toContain(secret)
  const [program = "", ...args] = wordsOf(unit, "ExecStart")
  expect(args).toEqual([
    expect.stringMatching(/^\/.*\/dist\/main\.js$/),
    "sync",
    "--watch",
    "--interval=3600",
  ])
  const environment = Object.fromEntries(
    wordsOf(unit, "Environment").map((each) => [each.split("=")[0], each.replace(/^[^=]*=/, "")]),
  )
  expect(environment).toMatchObject({
    BASIC_MEMORY_CONFIG_DIR: device.stateRoot,
    BASIC_MEMORY_SERVICE: "systemd-user",
  })
  const watcher = watcherOf(
    device,
    spawn(program, args, { cwd: "/", env: { HOME: device.home, ...environment }, stdio: "pipe" }),
  )
  await watcher.begins()
  put(device.dir, "p/a.md", "a\n")
  await until("an edit arrives", () => textIn(cloud.remote, "p/a.md") === "a\n")
  await watcher.rests()
  expect((await device.run("cloud", "status")).out).toContain(`watch runs as a service, pid ${watcher.pid}\n`)
  expect(JSON.parse((await device.run("cloud", "status", "--json")).out)).toMatchObject({
    watch: { running: true, service: "systemd-user", pid: watcher.pid, interval_s: 3600, paused: null },
  })
  await expectStops(device, watcher)
})

/** The values of a setting, as systemd reads what is in quotes. */
function wordsOf(unit: string, setting: string): readonly string[] {
  const lines = unit.split("\n").filter((line) => line.startsWith(`${setting}=`))
  return lines.flatMap((line) =>
    [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = ""]) =>
      word.replace(/\\(.)/g, "$1").replace(/%%/g, "%").replace(/\$\$/g, "$"),
    ),
  )
}

test("shows in a dry run what it would write, and writes nothing", { timeout: TEST_MS_MAX }, async () => {
  const { device, unitFile, sync, told } = newWorld()
  await device.setUp()
  const shown = await sync("--install-service", "--project", "p", "--dry-run")
  expect(shown).toMatchObject({ exit: 0, err: `would write ~/.config/systemd/user/${UNIT} and start it\n` })
  expect(wordsOf(shown.out, "ExecStart").slice(2)).toEqual(["sync", "--watch", "--project=p"])
  expect([existsSync(unitFile), told()]).toEqual([false, []])
  const asJson = await sync("--install-service", "--dry-run", "--json")
  expect(JSON.parse(asJson.out)).toMatchObject({
    dry_run: true,
    would_change: true,
    changed: false,
    refused: null,
  })
  expect([existsSync(unitFile), told()]).toEqual([false, []])
  expect(await sync("--install-service", "--project", "p")).toMatchObject({ exit: 0 })
  expect(readFileSync(unitFile, "utf8")).toBe(shown.out)
  const before = told()
  const removing = await sync("--uninstall-service", "--dry-run")
  expect(removing).toMatchObject({
    exit: 0,
    out: `would stop the service and remove ~/.config/systemd/user/${UNIT}\n`,
  })
  expect([existsSync(unitFile), told()]).toEqual([true, before])
})

test("refuses in a container, and shows there all the same what it would write", async () => {
  const { device, unitFile, syncWith, told } = newWorld()
  await device.setUp()
  const refused = await syncWith({ container: "podman" }, "--install-service")
  expect(refused).toMatchObject({ exit: 4, out: "" })
  expect(refused.err).toContain("Error: This is a container; run bm sync --watch as its command\n")
  expect(refused.err).toContain("Nothing was changed.")
  const asJson = await syncWith({ container: "podman" }, "--install-service", "--json")
  expect(JSON.parse(asJson.err)).toMatchObject({
    schema: "bm.error/1",
    code: "usage",
    exit: 4,
    changed: false,
  })
  const shown = await syncWith({ container: "podman" }, "--install-service", "--dry-run")
  expect(shown).toMatchObject({
    exit: 0,
    err: expect.stringContaining("It would be refused: This is a container"),
  })
  expect(shown.out).toContain("ExecStart=")
  expect([existsSync(unitFile), told()]).toEqual([false, []])
})

test("refuses where systemd does not answer", async () => {
  const { cloud, device, unitFile, syncWith } = newWorld()
  await device.setUp()
  const refused = await syncWith({ PATH: join(cloud.root, "nothing") }, "--install-service")
  expect(refused).toMatchObject({ exit: 4, out: "" })
  expect(refused.err).toMatch(/The systemd of this user does not answer[^]*systemctl: not found/)
  expect(existsSync(unitFile)).toBe(false)
})

test("says which command failed, and not that nothing was changed; the next try ends what was begun", async () => {
  const { device, sync, fail, told } = newWorld()
  await device.setUp()
  fail("enable")
  const failed = await sync("--install-service")
  expect(failed).toMatchObject({ exit: 1, out: "" })
  expect(failed.err).toContain(`Error: systemctl --user enable ${UNIT} failed (1) - it is not possible\n`)
  expect(failed.err).not.toContain("Nothing was changed")
  const asJson = await sync("--install-service", "--json")
  expect(JSON.parse(asJson.err)).toMatchObject({ code: "internal", exit: 1, changed: true })
  fail("")
  const before = told().length
  expect(await sync("--install-service")).toMatchObject({ exit: 0, err: "" })
  expect(told().slice(before)).toEqual(["daemon-reload", `enable ${UNIT}`, `restart ${UNIT}`])
})

test("installs nothing where nothing is set up, and removes what was left behind", async () => {
  const { device, unitFile, sync, told } = newWorld()
  const refused = await sync("--install-service")
  expect(refused).toMatchObject({ exit: 7, out: "" })
  expect(refused.err).toMatch(/requires --resync[^]*bm cloud bisync-setup/)
  expect([existsSync(unitFile), told()]).toEqual([false, []])
  put(device.home, `.config/systemd/user/${UNIT}`, "[Service]\nExecStart=/bin/true\n")
  expect(await sync("--uninstall-service")).toMatchObject({ exit: 0, err: "" })
  expect(existsSync(unitFile)).toBe(false)
})

test.each([
  ["--install-service --uninstall-service", /--install-service and --uninstall-service exclude each other/],
  ["--watch --install-service", /--watch and --install-service exclude each other/],
  ["--uninstall-service --interval 5", /--uninstall-service and --interval exclude each other/],
  ["--install-service --confirm-deletes 3", /run it without --install-service/],
  ["--install-service --interval 0", /--interval takes a number of seconds from 1/],
  ["--install-service 2h", /takes options only, not "2h"/],
])("refuses sync %s", async (words, says) => {
  const { unitFile, sync, told } = newWorld()
  const ran = await sync(...words.split(" "))
  expect(ran, ran.out).toMatchObject({ exit: USAGE, out: "" })
  expect(ran.err).toMatch(says)
  expect([existsSync(unitFile), told()]).toEqual([false, []])
})
