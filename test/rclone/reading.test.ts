/** The traps of listing and reading through rclone, each tried over real remotes. */

import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execFileSync, spawnSync } from "node:child_process"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { ContentLost } from "../../src/model/ports.ts"
import type { Body, ObjectStore } from "../../src/store/store.ts"
import { bytesAt, must } from "../backend/bucket-storage.ts"
import { describeServer } from "../servers/describe-server.ts"
import { type Proxy, startProxy } from "../servers/proxy.ts"
import type { Seen } from "../servers/request.ts"
import type { Server } from "../servers/server.ts"
import type { Place } from "./rclone-storage.ts"
import { describeEachRclone, type RealRclone } from "./real-rclone.ts"
import { describeEachRemote, groundOf, type RemoteUnderTest, s3Options } from "./remotes.ts"

const AT = { metadata: { mtime: "1700000000.125" } }
const NOBODY = 65_534
const isRoot = process.getuid?.() === 0
const hasSetpriv = spawnSync("setpriv", ["--version"]).status === 0

const bytes = (text: string): Body => ({ kind: "bytes", bytes: Buffer.from(text) })
const keysOf = async (store: ObjectStore): Promise<readonly string[]> =>
  (await must(store.list({ prefix: "" }))).objects.map(({ key }) => key).toSorted()

describeEachRclone((rclone) => {
  describeEachRemote(rclone, (remote) => {
    absence(remote)
    reading(remote)
    if (remote.kind === "a folder" && remote.root !== undefined) oddFiles(remote, remote.root)
  })
  describe("a folder of somebody else's", () => unreadable(rclone))
  describeServer("versitygw", (server) => {
    brokenListings(rclone, server)
    damage(rclone, server)
  })
})

function absence({ ground, kind }: RemoteUnderTest): void {
  test("a directory that is not there is empty, and so is one that a file has the name of", async () => {
    const { store } = await ground().place()
    await must(store.put("a.md", bytes("text"), AT))
    for (const prefix of ["none/", "none/deep/", "a.md/"])
      expect(await store.list({ prefix })).toMatchObject({ ok: true, value: { objects: [], broken: [] } })
  })

  test("a remote that is not there is not empty, and nothing of it is said to be gone", async () => {
    const { store } = await ground().nowhere()
    const gone = { ok: false, error: { kind: "no_bucket" } }
    expect(await store.list({ prefix: "" })).toMatchObject(gone)
    expect(await store.list({ prefix: ".basic-memory/bisync/lease/" })).toMatchObject(gone)
    expect(await store.get("a.md", {})).toMatchObject(gone)
    expect(await store.get("a.md", { ifMatch: "4:t:0" })).toMatchObject(gone)
  })

  test("a remote that holds nothing is empty", async () => {
    const { store } = await ground().place()
    expect(await store.list({ prefix: "" })).toMatchObject({ ok: true, value: { objects: [] } })
    expect(await store.get("a.md", {})).toMatchObject({ ok: false, error: { kind: "not_found" } })
    expect(await store.get("a.md", { ifMatch: "4:t:0" })).toMatchObject({ error: { kind: "precondition" } })
  })

  test("names come back as they went, whatever rclone and its storage exchange in them", async () => {
    const { store } = await ground().place()
    const names = [
      "a␊b.md",
      "a‛b.md",
      "ä é/日本.md",
      "50％／x.md",
      "a:b?c*d|e.md",
      " lead.md",
      "q'\"<>.md",
      ".b",
    ]
    // As in the S3 gateway's own listings, control characters do not arrive.
    if (kind !== "versitygw") names.push("a\nb.md", "tab\t.md", "del\u007f.md")
    for (const name of names) await must(store.put(name, bytes(name), AT))
    expect(await keysOf(store)).toEqual(names.toSorted())
    for (const name of names) expect((await bytesAt(store, name)).toString()).toBe(name)
    for (const name of names) await must(store.remove(name, {}))
    expect(await keysOf(store)).toEqual([])
  })
}

function reading({ ground }: RemoteUnderTest): void {
  test("a version that is not the one that was meant is not read, nor one that is larger", async () => {
    const { store } = await ground().place()
    const { etag } = await must(store.put("a.md", bytes("text"), AT))
    await must(store.put("a.md", bytes("longer text"), AT))
    expect(await store.get("a.md", { ifMatch: etag })).toMatchObject({ error: { kind: "precondition" } })
    expect(await store.get("a.md", { limitBytes: 5 })).toMatchObject({ error: { kind: "nonsense" } })
    expect(await store.get("none.md", { ifMatch: etag })).toMatchObject({ error: { kind: "precondition" } })
  })

  test("a version that is replaced while it is read is whole, or is lost to whoever reads it", async () => {
    const { store } = await ground().place()
    const old = "old ".repeat(1_000_000)
    await must(store.put("a.md", bytes(old), AT))
    const { body } = await must(store.get("a.md", {}))
    let read = ""
    try {
      for await (const piece of body) {
        if (read === "") await must(store.put("a.md", bytes("new, and shorter"), AT))
        read += Buffer.from(piece).toString("latin1")
      }
      expect(read).toBe(old)
    } catch (error) {
      if (!(error instanceof ContentLost)) throw error
      expect(["changed_since", "unreachable"]).toContain(error.trouble.code)
    }
  })

  test("what nobody reads to its end holds up nobody", async () => {
    const { store } = await ground().place()
    await must(store.put("a.md", bytes("x".repeat(3_000_000)), AT))
    for (let times = 0; times < 100; times++)
      for await (const piece of (await must(store.get("a.md", {}))).body) {
        expect(piece.length).toBeGreaterThan(0)
        break
      }
    expect(await keysOf(store)).toEqual(["a.md"])
  })
}

function oddFiles({ ground }: RemoteUnderTest, root: () => string): void {
  test("links, pipes and names that are no text are no notes, and no reason to give a listing up", async () => {
    const { store, path } = await ground().place()
    const folder = join(root(), path)
    await must(store.put("d/a.md", bytes("text"), AT))
    symlinkSync(join(folder, "d/a.md"), join(folder, "link.md"))
    symlinkSync(join(folder, "d"), join(folder, "link"))
    symlinkSync(join(folder, "none"), join(folder, "dangling.md"))
    execFileSync("mkfifo", [join(folder, "pipe.md")])
    writeFileSync(
      Buffer.concat([Buffer.from(join(folder, "d", "b")), Buffer.from([0xff]), Buffer.from(".md")]),
      "x",
    )
    const { objects, broken, unknowns } = await must(store.list({ prefix: "" }))
    expect(objects.map(({ key }) => key)).toEqual(["d/a.md"])
    expect({ broken, unknowns }).toEqual({ broken: ["d/b\uFFFD.md"], unknowns: [] })
  })
}

/** rclone passes over what it may not open, and only counts it. */
function unreadable(rclone: RealRclone): void {
  const canBeNobody = !isRoot || hasSetpriv
  let directory = ""
  let program: string | undefined
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "bm-unreadable-"))
    // Whoever may read everything is no judge of what others may.
    if (isRoot) program = asNobody(rclone, directory)
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const ground = groundOf(rclone, () => ({
    ...(program !== undefined && { program }),
    section: { type: "alias", remote: directory },
    pathOf: (number) => `test-${number}`,
    nowhere: "nowhere",
    needsRoot: false,
    traits: {},
  }))

  test.runIf(canBeNobody)(
    "a directory that cannot be read is no reason to take its notes for gone",
    async () => {
      const { store, path } = await ground().place()
      const folder = join(directory, path)
      for (const each of ["a", "b/deep"]) mkdirSync(join(folder, each), { recursive: true, mode: 0o755 })
      if (isRoot) execFileSync("chown", ["-R", String(NOBODY), folder])
      writeFileSync(join(folder, "a/a.md"), "a")
      writeFileSync(join(folder, "b/deep/b.md"), "b")
      expect(await keysOf(store)).toEqual(["a/a.md", "b/deep/b.md"])
      for (const closed of ["b/deep", "b", ""]) {
        chmodSync(join(folder, closed), 0o000)
        expect(await store.list({ prefix: "" })).toMatchObject({
          ok: false,
          error: { kind: "denied", detail: "permission denied" },
        })
        chmodSync(join(folder, closed), 0o755)
      }
      // What was counted then is not held against a listing now.
      expect(await keysOf(store)).toEqual(["a/a.md", "b/deep/b.md"])
      chmodSync(join(folder, "b"), 0o000)
      expect(await store.head("b/deep/b.md")).toMatchObject({ error: { kind: "denied" } })
      chmodSync(join(folder, "b"), 0o755)
    },
  )
}

function asNobody({ path }: RealRclone, directory: string): string {
  chmodSync(directory, 0o755)
  const copy = join(directory, "rclone")
  const script = join(directory, "rclone.sh")
  copyFileSync(path, copy)
  chmodSync(copy, 0o755)
  const command = `exec setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups "${copy}" "$@"`
  writeFileSync(script, `#!/bin/sh\n${command}\n`, { mode: 0o755 })
  return script
}

const KEYS = 1_050

function brokenListings(rclone: RealRclone, server: () => Server): void {
  describe("a listing of more than a page", () => {
    let proxy: Proxy | undefined
    const mustProxy = (): Proxy => {
      if (proxy === undefined) throw new Error("no proxy")
      return proxy
    }
    beforeAll(async () => {
      proxy = await startProxy(server())
    })
    afterAll(() => proxy?.stop())
    const ground = groundOf(rclone, async () =>
      s3Options({ ...server(), bucket: await server().newBucket(), endpoint: mustProxy().endpoint }),
    )
    const isSecond = ({ kind, query }: Seen) =>
      kind === "LIST" && (query.has("marker") || query.has("continuation-token"))
    const names = Array.from({ length: KEYS }, (_, number) => `d/${String(number).padStart(5, "0")}.md`)
    let filled: Place | undefined
    const fill = async (): Promise<Place> => {
      if (filled !== undefined) return filled
      const place = await ground().place()
      for (let at = 0; at < names.length; at += 64)
        await Promise.all(
          names.slice(at, at + 64).map((name) => must(place.store.put(name, bytes(name), AT))),
        )
      filled = place
      return place
    }

    test("is whole", async () => {
      expect(await keysOf((await fill()).store)).toEqual(names)
    })

    test.each([
      ["is busy", "503", "busy"],
      ["breaks off", "cut_body", "unreachable"],
      ["is not answered", "refuse", "unreachable"],
    ] as const)("is none where its second page %s, and is asked for again", async (_, act, kind) => {
      const place = await fill()
      mustProxy().faults = [{ match: isSecond, act }]
      const impatient = await place.impatient()
      expect(await impatient.list({ prefix: "" })).toMatchObject({ ok: false, error: { kind } })
      mustProxy().faults = [{ match: isSecond, act, times: 3 }]
      expect(await keysOf(place.store)).toEqual(names)
      mustProxy().faults = []
    })
  })
}

function damage(rclone: RealRclone, server: () => Server): void {
  const ground = groundOf(rclone, () => s3Options(server()))
  test("bytes that are not those of which the storage told the checksum are said to be damaged", async () => {
    const { store, path } = await ground().place()
    await must(store.put("a.md", bytes("whole text"), AT))
    // Behind the gateway's back, so that what it knows of the object stays.
    writeFileSync(join(server().root, path, "a.md"), "wrong text")
    const { body } = await must(store.get("a.md", {}))
    const read = async (): Promise<void> => {
      for await (const piece of body) expect(piece.length).toBeGreaterThan(0)
    }
    await expect(read()).rejects.toMatchObject({ trouble: { code: "hash_mismatch", path: "a.md" } })
  })
}
