/** What remotes are like, as rclone tells of them, and how versions are told apart there. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { err, ok } from "../../src/model/result.ts"
import { startChild } from "../../src/rclone/child.ts"
import { openRc, type Rc } from "../../src/rclone/rc.ts"
import { configOf, lookUpRemote, type RcloneRemote } from "../../src/rclone/remote.ts"
import type { Failure } from "../../src/store/store.ts"
import { must } from "../backend/bucket-storage.ts"
import { describeEachRclone } from "./real-rclone.ts"

const MILLISECOND_NS = 1_000_000
const HUNDRED_YEARS_NS = 100 * 365 * 24 * 3600 * 1e9

const CONF = `[folder]
type = alias
remote = /nonexistent

[memory]
type = memory

[s3]
type = s3
provider = Other
access_key_id = a
secret_access_key = b
endpoint = http://127.0.0.1:9

[dav]
type = webdav
vendor = other
url = http://127.0.0.1:9

[cloud]
type = webdav
vendor = nextcloud
url = http://127.0.0.1:9/remote.php/dav/files/me
`

const FOLDER: Omit<RcloneRemote, "fs"> = {
  isBucketBased: false,
  canCopy: true,
  canMove: true,
  hasDuplicates: false,
  foldsCase: process.platform === "darwin" || process.platform === "win32",
  hasEmptyDirectories: true,
  isTimeSlow: false,
  keepsTimes: true,
  isLocal: true,
}
const DAV: Omit<RcloneRemote, "fs"> = { ...FOLDER, foldsCase: false, keepsTimes: false, isLocal: false }
const BUCKETS: Omit<RcloneRemote, "fs"> = {
  ...FOLDER,
  foldsCase: false,
  isLocal: false,
  isBucketBased: true,
  hasEmptyDirectories: false,
  checksum: "md5",
}

describeEachRclone((rclone) => {
  // Nothing answers at any of them: what a remote is like is asked of rclone only.
  test.each<readonly [string, string, RcloneRemote]>([
    ["a folder", "folder", { ...FOLDER, fs: "folder:x/y/" }],
    ["the memory of rclone", "memory", { ...BUCKETS, fs: "memory:x/y/" }],
    ["S3", "s3", { ...BUCKETS, isTimeSlow: true, fs: "s3:x/y/" }],
    ["WebDAV", "dav", { ...DAV, fs: "dav:x/y/" }],
    [
      "WebDAV of a kind that keeps times and checksums",
      "cloud",
      { ...DAV, keepsTimes: true, fs: "cloud:x/y/", checksum: "sha1" },
    ],
  ])("%s is what it is, whether anybody answers there or not", async (_, name, expected) => {
    const directory = mkdtempSync(join(tmpdir(), "bm-remote-"))
    const file = join(directory, "rclone.conf")
    writeFileSync(file, CONF)
    const child = await must(
      startChild({ program: rclone.path, environment: { HOME: directory, RCLONE_CONFIG: file } }),
    )
    const rc = openRc(child)
    try {
      const looked = await lookUpRemote(rc, { name, path: "x/y", url: "" })
      expect(looked).toEqual({ ok: true, value: expected })
      expect(await lookUpRemote(rc, { name: "other", path: "", url: "" })).toEqual(
        err({ kind: "unknown_name" }),
      )
    } finally {
      rc.close()
      child.stop()
      rmSync(directory, { recursive: true, force: true })
    }
  })
})

interface Told {
  readonly features?: object
  readonly hashes?: unknown
  readonly precision?: unknown
}

/** An rclone that says what it is told to, and what it was asked for. */
function rcloneOf({ features = {}, hashes = [], precision = MILLISECOND_NS }: Told): {
  readonly rc: Rc
  readonly asked: string[]
} {
  const asked: string[] = []
  const answers: Readonly<Record<string, unknown>> = {
    "config/listremotes": { remotes: ["r"] },
    "operations/fsinfo": { Features: features, Hashes: hashes, Precision: precision },
    "fscache/clear": {},
  }
  return {
    asked,
    rc: {
      async call(command, input) {
        asked.push(`${command} ${JSON.stringify(input)}`)
        return ok(answers[command])
      },
      open: async () => err(NOT_ASKED),
      close: () => {},
    },
  }
}

const NOT_ASKED: Failure = { kind: "nonsense", detail: "nobody asks for a file" }

async function remoteOf(told: Told, path = ""): Promise<RcloneRemote> {
  const looked = await lookUpRemote(rcloneOf(told).rc, { name: "r", path, url: "" })
  if (!looked.ok) throw new Error(looked.error.kind)
  return looked.value
}

describe("a remote", () => {
  test.each([
    ["", "r:"],
    ["/", "r:/"],
    ["x", "r:x/"],
    ["/x/y", "r:/x/y/"],
  ])("at %j is asked for as the directory %j", async (path, fs) => {
    expect((await remoteOf({}, path)).fs).toBe(fs)
  })

  test.each<readonly [string, Told, string | undefined]>([
    ["the first that we can compute too", { hashes: ["whirlpool", "sha256", "md5"] }, "md5"],
    ["SHA-1 before SHA-256", { hashes: ["sha256", "sha1"] }, "sha1"],
    ["the first of those that we cannot compute", { hashes: ["quickxor", "crc32"] }, "quickxor"],
    ["none where its storage has none", { hashes: [] }, undefined],
    ["none where the answer is odd", { hashes: null }, undefined],
    [
      "none where every file would be read for it",
      { hashes: ["md5"], features: { SlowHash: true } },
      undefined,
    ],
  ])("is listed with a checksum: %s", async (_, told, checksum) => {
    expect((await remoteOf(told)).checksum).toBe(checksum)
  })

  test.each<readonly [string, unknown, boolean]>([
    ["to the nanosecond", 1, true],
    ["to the second", 1e9, true],
    ["to two seconds", 2e9, true],
    ["to a hundred years, which is how rclone says never", HUNDRED_YEARS_NS, false],
    ["to nothing that it tells", null, false],
  ])("keeps times %s: %s", async (_, precision, keepsTimes) => {
    expect((await remoteOf({ precision })).keepsTimes).toBe(keepsTimes)
  })

  test("without a rename is one whose files are copied and removed instead, where it can do that", async () => {
    expect(await remoteOf({ features: { Copy: true } })).toMatchObject({ canCopy: true, canMove: true })
    expect(await remoteOf({ features: { Move: true } })).toMatchObject({ canCopy: false, canMove: true })
    expect(await remoteOf({ features: {} })).toMatchObject({ canCopy: false, canMove: false })
  })

  test("of which rclone says nothing has no features", async () => {
    const { rc } = rcloneOf({})
    const silent: Rc = {
      ...rc,
      call: async (command) => ok(command === "config/listremotes" ? { remotes: ["r"] } : undefined),
    }
    const looked = await lookUpRemote(silent, { name: "r", path: "", url: "" })
    expect(looked).toMatchObject({ ok: true, value: { isBucketBased: false, keepsTimes: false } })
  })
})

describe("times that cost a request for each file", () => {
  test("are asked for in looks only, and rclone forgets that it opened the remote otherwise", async () => {
    const { rc, asked } = rcloneOf({ features: { SlowModTime: true } })
    const looked = await lookUpRemote(rc, { name: "r", path: "", url: "" })
    expect(asked.at(-1)).toBe("fscache/clear {}")
    if (!looked.ok) throw new Error(looked.error.kind)
    expect(configOf(looked.value, { IgnoreTimes: true })).toEqual({
      _config: { UseServerModTime: true, IgnoreTimes: true },
    })
  })

  test("are no reason to open a remote anew where they cost nothing", async () => {
    const { rc, asked } = rcloneOf({})
    await lookUpRemote(rc, { name: "r", path: "", url: "" })
    expect(asked.map((each) => each.split(" ")[0])).toEqual(["config/listremotes", "operations/fsinfo"])
  })
})
