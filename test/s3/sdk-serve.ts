/**
 * Every request that a store makes, and a server of the test's own to make it to, which is gone after the test.
 */

import type { Body, ObjectStore } from "../../src/store/store.ts"
import { type Answering, type Fake, type OpenOptions, startFake } from "./sdk-fake.ts"

export const cleanups: (() => unknown)[] = []

/** For `afterEach` of every file that serves. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
}

export async function serve(
  answer: Answering,
  options: OpenOptions = {},
): Promise<{ readonly fake: Fake; readonly store: ObjectStore }> {
  const fake = await startFake(answer)
  cleanups.push(() => fake.stop())
  const store = await fake.open(options)
  cleanups.push(() => store.close())
  return { fake, store }
}

export const bytes = (text: string): Body => ({ kind: "bytes", bytes: Buffer.from(text) })
export const failure = (kind: string, detail?: unknown) => ({
  ok: false,
  error: { kind, ...(detail !== undefined && { detail }) },
})
export const upload = { key: "k", uploadId: "u" }
export const parts = [{ number: 1, etag: "900150983cd24fb0d6963f7d28e17f72" }]
/** Of an object of that one part. */
export const PARTS_ETAG = "af5da9f45af7a300e3aded972f8ff687-1"

/** Every request that a store makes. */
export const REQUESTS: Readonly<Record<string, (store: ObjectStore) => Promise<{ readonly ok: boolean }>>> = {
  list: (store) => store.list({ prefix: "" }),
  head: (store) => store.head("k"),
  get: (store) => store.get("k", {}),
  put: (store) => store.put("k", bytes("x"), { metadata: {} }),
  copy: (store) => store.copy("k", "l", { ifMatch: "e", metadata: {} }),
  remove: (store) => store.remove("k", {}),
  removeOnce: (store) => store.removeOnce("k", { expiresInS: 60, mayStillSend: () => true }),
  startUpload: (store) => store.startUpload("k", { metadata: {} }),
  putPart: (store) => store.putPart(upload, 1, Buffer.from("x")),
  copyPart: (store) => store.copyPart(upload, 1, { key: "k", ifMatch: "e" }),
  complete: (store) => store.complete(upload, parts, {}),
  abort: (store) => store.abort(upload),
  uploads: (store) => store.uploads(""),
}
export const requests = Object.entries(REQUESTS)
