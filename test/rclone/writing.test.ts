/** The traps of writing through rclone, each tried over real remotes. */

import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { expect, test } from "vitest"
import { STAGING } from "../../src/rclone/staging.ts"
import type { Body, ObjectStore } from "../../src/store/store.ts"
import { bytesAt, must } from "../backend/bucket-storage.ts"
import { s3Request } from "../servers/sign.ts"
import { describeServer } from "../servers/describe-server.ts"
import type { Place } from "./rclone-storage.ts"
import { describeEachRclone, type RealRclone } from "./real-rclone.ts"
import { describeEachRemote, groundOf, type RemoteUnderTest, s3Options } from "./remotes.ts"
import { watchFolder } from "./watcher.ts"

const MEBI = 1024 * 1024
const LARGE_BYTES = 30 * MEBI
const TIMES = 60
const DAY_MS = 24 * 3_600_000
const AT = { metadata: { mtime: "1700000000.125" } }

const bytes = (text: string): Body => ({ kind: "bytes", bytes: Buffer.from(text) })
const textAt = async ({ store }: Place, key: string) => (await bytesAt(store, key)).toString()

function largeStream(sizeBytes: number): Body {
  async function* open(): AsyncGenerator<Uint8Array> {
    for (let left = sizeBytes; left > 0; left -= MEBI) yield Buffer.alloc(Math.min(MEBI, left), `${left} `)
  }
  return { kind: "stream", sizeBytes, open }
}

describeEachRclone((rclone) => {
  describeEachRemote(rclone, (remote) => {
    replacing(remote)
    if (remote.root !== undefined) inSight(remote, remote.root)
    staying(remote)
  })
  describeServer("versitygw", (server) => {
    const ground = groundOf(rclone, async () =>
      s3Options({ ...server(), bucket: await server().newBucket() }),
    )
    test("a bucket that is gone is not made again by any write", async () => {
      const { store, path } = await ground().place()
      const [bucket = ""] = path.split("/")
      const { etag } = await must(store.put("a.md", bytes("text"), AT))
      const whole = await must(store.sendWhole?.("b.md", bytes("whole"), AT) ?? noWhole())
      for (const key of ["a.md", `${STAGING}${whole.uploadId}`])
        await s3Request(server(), { method: "DELETE", target: `/${path}/${key}` })
      // Directories of the gateway's own making are gone with the last object in them.
      expect((await s3Request(server(), { method: "DELETE", target: `/${bucket}` })).status).toBe(204)
      const sent = [
        await store.put("a.md", bytes("text"), AT),
        await store.put("large.md", largeStream(LARGE_BYTES), AT),
        await store.copy("a.md", "c.md", { ...AT, ifMatch: etag }),
        (await store.sendWhole?.("b.md", bytes("whole"), AT)) ?? (await noWhole()),
        await store.complete({ key: "b.md", uploadId: whole.uploadId }, whole.parts, {}),
      ]
      expect(sent.map(({ ok }) => ok)).toEqual(sent.map(() => false))
      expect(sent[0]).toMatchObject({ error: { kind: "no_bucket", via: "rclone" } })
      expect((await s3Request(server(), { method: "HEAD", target: `/${bucket}` })).status).toBe(404)
      expect(await store.list({ prefix: "" })).toMatchObject({ error: { kind: "no_bucket" } })
      expect(await store.get("a.md", {})).toMatchObject({ error: { kind: "no_bucket" } })
    })

    inParts(rclone, () => s3Options(server()))
  })
})

async function noWhole(): Promise<never> {
  throw new Error("nothing is sent whole here")
}

function replacing({ ground, kind }: RemoteUnderTest): void {
  test("what has the size and the time of what is there replaces it", async () => {
    const place = await ground().place()
    for (const text of ["first", "other", "third"]) {
      await must(place.store.put("d/a.md", bytes(text), AT))
      expect(await textAt(place, "d/a.md")).toBe(text)
    }
    const whole = await must(place.store.sendWhole?.("d/a.md", bytes("whole"), AT) ?? noWhole())
    expect(await textAt(place, "d/a.md")).toBe("third")
    await must(place.store.complete({ key: "d/a.md", uploadId: whole.uploadId }, whole.parts, {}))
    expect(await textAt(place, "d/a.md")).toBe("whole")
    const { etag } = await must(place.store.put("d/b.md", bytes("copy!"), AT))
    await must(place.store.copy("d/b.md", "d/a.md", { ...AT, ifMatch: etag }))
    expect(await textAt(place, "d/a.md")).toBe("copy!")
    expect(await must(place.store.uploads(""))).toEqual([])
  })

  test("what is put is told by the token that a look and a listing show", async () => {
    const { store } = await ground().place()
    const { etag } = await must(store.put("d/a.md", bytes("text"), AT))
    expect((await must(store.head("d/a.md"))).etag).toBe(etag)
    expect((await must(store.list({ prefix: "" }))).objects).toMatchObject([{ key: "d/a.md", etag }])
  })

  test("two that write one key at the same time leave one of both versions, whole", async ({ skip }) => {
    if (kind === "versitygw") skip("it loses one of two that come together, whoever sends them")
    const place = await ground().place()
    const texts = ["a".repeat(200_000), "b".repeat(300_000)]
    const sent = await Promise.all(texts.map((text) => place.store.put("d/a.md", bytes(text), AT)))
    // A server may say to one of them that the other is at it.
    expect(sent.some(({ ok }) => ok)).toBe(true)
    expect(texts).toContain(await textAt(place, "d/a.md"))
    if (kind !== "webdav") expect(sent.every(({ ok }) => ok)).toBe(true)
  })
}

function inSight({ ground, kind }: RemoteUnderTest, root: () => string): void {
  const folderOf = ({ path }: Place): string =>
    join(root(), kind === "versitygw" ? path.split("/").slice(1).join("/") : path)

  test("nobody sees half of what is large, nor a name that is not its own", async () => {
    const place = await ground().place()
    mkdirSync(folderOf(place), { recursive: true })
    const watcher = await watchFolder(folderOf(place))
    await must(place.store.put("d/put.bin", largeStream(LARGE_BYTES), AT))
    const whole = await must(
      place.store.sendWhole?.("d/whole.bin", largeStream(LARGE_BYTES), AT) ?? noWhole(),
    )
    await must(place.store.complete({ key: "d/whole.bin", uploadId: whole.uploadId }, whole.parts, {}))
    const { etag } = await must(place.store.head("d/whole.bin"))
    await must(place.store.copy("d/whole.bin", "d/copy.bin", { ...AT, ifMatch: etag }))
    const { sizesByPath, looks } = await watcher.stop()
    const sizes = new Set([LARGE_BYTES])
    expect(new Map([...sizesByPath].toSorted())).toEqual(
      new Map(["d/copy.bin", "d/put.bin", "d/whole.bin"].map((key) => [key, sizes])),
    )
    expect(looks).toBeGreaterThan(10)
  })

  test("a file that is replaced is there at every moment", async ({ skip }) => {
    // The server of this WebDAV removes what is at the goal of a move before it moves, whoever asks it.
    if (kind === "webdav") skip("its server itself takes the old file away first")
    const place = await ground().place()
    await must(place.store.put("a.md", bytes("x".repeat(1000)), AT))
    const watcher = await watchFolder(folderOf(place))
    for (let times = 0; times < TIMES; times++)
      await must(place.store.put("a.md", bytes("x".repeat(1000 + (times % 2))), AT))
    const { sizesByPath, gaps, looks } = await watcher.stop()
    expect(gaps).toEqual([])
    expect(sizesByPath).toEqual(new Map([["a.md", new Set([1000, 1001])]]))
    expect(looks).toBeGreaterThan(TIMES)
  })

  test("a directory that holds something is never replaced by a file of its name", async ({ skip }) => {
    if (kind === "versitygw") skip("a key and keys below it may stand beside each other")
    const place = await ground().place()
    const inside = join(folderOf(place), "dir.md/x/y.md")
    mkdirSync(dirname(inside), { recursive: true })
    writeFileSync(inside, "theirs")
    const { etag } = await must(place.store.put("a.md", bytes("text"), AT))
    const whole = await must(place.store.sendWhole?.("dir.md", bytes("whole"), AT) ?? noWhole())
    const sent = [
      await place.store.put("dir.md", bytes("text"), AT),
      await place.store.copy("a.md", "dir.md", { ...AT, ifMatch: etag }),
      await place.store.complete({ key: "dir.md", uploadId: whole.uploadId }, whole.parts, {}),
    ]
    expect(sent.map((each) => (each.ok ? "done" : each.error.kind))).toEqual([
      "refused",
      "refused",
      "refused",
    ])
    expect(await textAt(place, "dir.md/x/y.md")).toBe("theirs")
  })

  test("a directory that holds nothing makes way for a file of its name", async ({ skip }) => {
    if (kind === "versitygw") skip("there are no directories")
    const place = await ground().place()
    await must(place.store.put("d/e/a.md", bytes("text"), AT))
    await must(place.store.remove("d/e/a.md", {}))
    await must(place.store.put("d", bytes("a file now"), AT))
    expect(await textAt(place, "d")).toBe("a file now")
  })
}

function staying({ ground, kind }: RemoteUnderTest): void {
  test("what is put into a directory stays, while the last of the others in there is removed", async ({
    skip,
  }) => {
    if (kind === "versitygw")
      skip("it makes and removes directories by itself, and refuses what is in their way")
    const place = await ground().place()
    const { store } = place
    for (let times = 0; times < 10; times++) {
      await must(store.put(`d${times}/old.md`, bytes("old"), AT))
      const done = await Promise.all([
        store.remove(`d${times}/old.md`, {}),
        store.put(`d${times}/new.md`, bytes("new"), AT),
      ])
      expect(done.map(({ ok }) => ok)).toEqual([true, true])
      expect(await textAt(place, `d${times}/new.md`)).toBe("new")
    }
  })

  test("what a life left before it could move it is removed a day later, and nothing else", async () => {
    const place = await ground().place()
    const { store, later } = place
    // As a crash leaves it: sent, and never completed.
    await must(store.sendWhole?.("a.md", bytes("left"), AT) ?? noWhole())
    const [left] = await must(store.uploads(""))
    await must(store.put(`${STAGING}theirs`, bytes("not ours"), AT))
    await must(store.put("b.md", bytes("text"), AT))
    expect(await must(store.uploads(""))).toEqual([left])
    const isStaged = !place.side.remote.isBucketBased
    later(DAY_MS + 60_000)
    const again = place.restart()
    await must(again.put("b.md", bytes("text, later"), AT))
    // Where nothing is staged, only what is large is ever left, and whoever sent it gives it up.
    expect(await must(again.uploads(""))).toEqual(isStaged ? [] : [left])
    expect(await textAt(place, `${STAGING}theirs`)).toBe("not ours")
  })
}

/** rclone sends what is large in parts, of which its storage makes no checksum of the whole. */
function inParts(rclone: RealRclone, optionsOf: () => ReturnType<typeof s3Options>): void {
  const ground = groundOf(rclone, () => {
    const options = optionsOf()
    return { ...options, section: { ...options.section, upload_cutoff: "5M", chunk_size: "5M" } }
  })
  test("what was sent in parts is the same version in a listing, in a look and when it is read", async () => {
    const { store } = await ground().place()
    await must(store.put("a.bin", largeStream(LARGE_BYTES), AT))
    const listed = (await must(store.list({ prefix: "" }))).objects[0]
    const head = await must(store.head("a.bin"))
    expect(listed).toMatchObject({ key: "a.bin", etag: head.etag, sizeBytes: LARGE_BYTES })
    expect(await sizeOf(store, "a.bin", head.etag)).toBe(LARGE_BYTES)
  })
}

async function sizeOf(store: ObjectStore, key: string, ifMatch: string): Promise<number> {
  let sizeBytes = 0
  for await (const piece of (await must(store.get(key, { ifMatch }))).body) sizeBytes += piece.length
  return sizeBytes
}
