/** rclone is killed in the middle of everything: what was asked of it becomes a value, and nothing is left behind. */

import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { randomBytes } from "node:crypto"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { ContentLost } from "../../src/model/ports.ts"
import type { Result } from "../../src/model/result.ts"
import { type OpenRclone, openRcloneStore } from "../../src/rclone/rclone-store.ts"
import type { Body, Failure, ObjectStore } from "../../src/store/store.ts"
import { bytesAt, must } from "../backend/bucket-storage.ts"
import { environmentOf, hasProc, processes } from "../process/processes.ts"
import { describeServer } from "../servers/describe-server.ts"
import { type Proxy, startProxy } from "../servers/proxy.ts"
import type { Seen } from "../servers/request.ts"
import type { Server } from "../servers/server.ts"
import { environmentIn } from "./rclone-storage.ts"
import { describeEachRclone, type RealRclone } from "./real-rclone.ts"
import { s3Options } from "./remotes.ts"
import { until } from "./until.ts"

const MEBI = 1024 * 1024
const AT = { metadata: { mtime: "1700000000.125" } }
const UNREACHABLE = { ok: false, error: { kind: "unreachable", via: "rclone" } }

const bytes = (text: string): Body => ({ kind: "bytes", bytes: Buffer.from(text) })
const large: Body = { kind: "bytes", bytes: Buffer.alloc(30 * MEBI, "large ") }

describeEachRclone((rclone) =>
  describeServer("versitygw", (server) => {
    let proxy: Proxy
    let directory = ""
    let opened: OpenRclone
    beforeAll(async () => {
      proxy = await startProxy(server())
    })
    afterAll(() => proxy.stop())
    beforeEach(async () => {
      proxy.faults = []
      directory = mkdtempSync(join(tmpdir(), "bm-killed-"))
      opened = await open(rclone, directory, { server: server(), proxy })
    })
    afterEach(() => {
      opened.store.close()
      rmSync(directory, { recursive: true, force: true })
    })
    let isKilled = false
    beforeEach(() => {
      isKilled = false
    })
    const kill = (): void => {
      if (!isKilled) process.kill(opened.pid, "SIGKILL")
      isKilled = true
    }
    /** Once a request of this kind has come as far as the storage, which does not answer it. */
    const killAt = (kind: Seen["kind"], key: string): void => {
      proxy.faults = [
        {
          match: (seen) => seen.kind === kind && seen.key.endsWith(key),
          act: "hold",
          until: async () => kill(),
        },
      ]
    }

    test.each<readonly [string, Seen["kind"], (store: ObjectStore) => Promise<Result<unknown, Failure>>]>([
      ["a listing", "LIST", (store) => store.list({ prefix: "" })],
      ["a look", "HEAD", (store) => store.head("a.md")],
      ["a read, before the first byte", "GET", (store) => store.get("a.md", {})],
      ["a write", "PUT", (store) => store.put("a.md", bytes("new"), AT)],
      ["a large write", "PUT", async (store) => sendWhole(store, "a.md")],
      ["a delete", "DELETE", (store) => store.remove("a.md", {})],
      ["a copy", "COPY", (store) => store.copy("a.md", "b.md", { ...AT, ifMatch: "x" })],
    ])("%s is unreachable, and so is all that comes after it", async (_, kind, ask) => {
      const { store } = opened
      await must(store.put("a.md", bytes("text"), AT))
      killAt(kind, "")
      expect(await ask(store)).toMatchObject(UNREACHABLE)
      proxy.faults = []
      for (const after of [
        await store.list({ prefix: "" }),
        await store.head("a.md"),
        await store.get("a.md", {}),
        await store.put("a.md", bytes("newer"), AT),
        await store.remove("a.md", {}),
      ])
        expect(after).toMatchObject(UNREACHABLE)
      // What the system says first is that the connection broke.
      await until(async () => {
        const head = await store.head("a.md")
        return !head.ok && head.error.detail === "rclone ended"
      })
      await expectNothingLeft(opened, directory)
    })

    test("a read breaks off for whoever reads it", async () => {
      const { store } = opened
      await must(store.put("large.bin", large, AT))
      const { body } = await must(store.get("large.bin", {}))
      const read = async (): Promise<void> => {
        for await (const piece of body) {
          expect(piece.length).toBeGreaterThan(0)
          kill()
        }
      }
      await expect(read()).rejects.toMatchObject({ trouble: { code: "unreachable", path: "large.bin" } })
      await expect(read()).resolves.toBeUndefined()
      await expectNothingLeft(opened, directory)
    })

    test("reads that nobody looks at any more do no harm", async () => {
      const { store } = opened
      await must(store.put("large.bin", large, AT))
      const reads = await Promise.all(Array.from({ length: 8 }, () => store.get("large.bin", {})))
      expect(reads.every(({ ok }) => ok)).toBe(true)
      kill()
      expect(await store.list({ prefix: "" })).toMatchObject(UNREACHABLE)
      await expectNothingLeft(opened, directory)
    })

    test("many that were under way together are all unreachable", async () => {
      const { store } = opened
      await must(store.put("a.md", bytes("text"), AT))
      let arrived = 0
      proxy.faults = [
        {
          match: () => true,
          act: "hold",
          until: async () => {
            arrived += 1
            // Older ones send no more than twelve at once.
            if (arrived === 10) kill()
          },
        },
        { match: () => true, act: "stall" },
      ]
      const asked = await Promise.all(
        Array.from({ length: 60 }, (_, number) =>
          number % 3 === 0
            ? store.put(`${number}.md`, bytes("text"), AT)
            : number % 3 === 1
              ? store.head(`${number}.md`)
              : store.list({ prefix: "" }),
        ),
      )
      for (const each of asked) expect(each).toMatchObject(UNREACHABLE)
      await expectNothingLeft(opened, directory)
    })

    test("a source that breaks off in the middle of a write is told, and nothing is left of it", async () => {
      const { store } = opened
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield Buffer.from("half")
        throw new ContentLost({ code: "changed_since", path: "source.md" })
      }
      const body: Body = { kind: "stream", sizeBytes: 8, open: broken }
      await expect(store.put("a.md", body, AT)).rejects.toBeInstanceOf(ContentLost)
      expect((await must(store.list({ prefix: "" }))).objects).toEqual([])
      await expectNothingLeft(opened, directory)
    })

    test("another rclone finds what was written, whole or not at all", async () => {
      const { store } = opened
      await must(store.put("a.md", bytes("old"), AT))
      killAt("PUT", "a.md")
      expect(await store.put("a.md", large, AT)).toMatchObject(UNREACHABLE)
      proxy.faults = []
      store.close()
      opened = await open(rclone, directory, { server: server(), proxy })
      const { length } = await bytesAt(opened.store, "a.md")
      expect(["old".length, 30 * MEBI]).toContain(length)
    })
  }),
)

describeEachRclone((rclone) =>
  describe("a store that is closed", () => {
    test("ends its rclone, and leaves no folder", async () => {
      const directory = mkdtempSync(join(tmpdir(), "bm-closed-"))
      const section = { type: "memory" }
      const store = await openWith(rclone, directory, { section, path: "bucket" })
      await store.makeRoot()
      await must(store.store.put("a.md", bytes("text"), AT))
      expect(store.version.text).toMatch(/^1\.\d+\.\d+$/)
      await expectNothingLeft(store, directory)
      rmSync(directory, { recursive: true })
    })

    test("is not there where its remote is none of rclone.conf, and no rclone is", async () => {
      const directory = mkdtempSync(join(tmpdir(), "bm-unknown-"))
      const opened = await openRcloneStore(
        { name: "other", path: "", url: "rclone:other:" },
        optionsIn(rclone, directory, { type: "memory" }),
      )
      expect(opened).toEqual({ ok: false, error: { kind: "unknown_name" } })
      if (hasProc) await until(() => familyIn(directory).length === 0)
      rmSync(directory, { recursive: true })
    })
  }),
)

/** Whole, where nobody looks. */
function sendWhole(store: ObjectStore, key: string): Promise<Result<unknown, Failure>> {
  if (store.sendWhole === undefined) throw new Error("nothing is sent whole here")
  return store.sendWhole(key, bytes("whole"), AT)
}

function optionsIn(
  rclone: RealRclone,
  directory: string,
  section: Readonly<Record<string, string>>,
): Parameters<typeof openRcloneStore>[1] {
  return {
    program: rclone.path,
    environment: environmentIn(directory, { rclone, section }),
    workFolders: join(directory, "uploads"),
    random: { hex128: () => randomBytes(16).toString("hex") },
    nowMs: Date.now,
    monotonicMs: () => performance.now(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms / 20)),
  }
}

async function openWith(
  rclone: RealRclone,
  directory: string,
  { section, path }: { readonly section: Readonly<Record<string, string>>; readonly path: string },
): Promise<OpenRclone> {
  const address = { name: "r", path, url: `rclone:r:${path}` }
  const opened = await openRcloneStore(address, optionsIn(rclone, directory, section))
  if (!opened.ok) throw new Error(opened.error.kind)
  return opened.value
}

async function open(
  rclone: RealRclone,
  directory: string,
  { server, proxy }: { readonly server: Server; readonly proxy: Proxy },
): Promise<OpenRclone> {
  const bucket = existsSync(join(directory, "rclone.conf")) ? lastBucket : await server.newBucket()
  lastBucket = bucket
  const { section } = s3Options({ ...server, bucket, endpoint: proxy.endpoint })
  return openWith(rclone, directory, { section, path: bucket })
}

/** Of the store that was opened first in this test. */
let lastBucket = ""

/** Nobody was told of an error that nobody waited for: the test itself would fail of it. */
async function expectNothingLeft({ store }: OpenRclone, directory: string): Promise<void> {
  const uploads = join(directory, "uploads")
  if (existsSync(uploads))
    for (const name of readdirSync(uploads)) expect(readdirSync(join(uploads, name))).toEqual([])
  store.close()
  expect(existsSync(uploads) ? readdirSync(uploads) : []).toEqual([])
  if (hasProc) await until(() => familyIn(directory).length === 0)
}

/** Every process that has the home of this rclone: it, and who watches over it. */
function familyIn(directory: string): readonly number[] {
  return [...processes().keys()].filter((pid) => environmentOf(pid).get("HOME") === directory)
}
