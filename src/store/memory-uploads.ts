/**
 * Uploads in parts to a bucket in memory: nothing is seen of them before Complete, which makes one object of the parts
 * that it names, where its condition holds at that moment.
 */

import { err, ok } from "../model/result.ts"
import { md5, multipartEtag } from "./memory-objects.ts"
import {
  ask,
  blockedAt,
  brokenBy,
  headOf,
  INVALID_PART,
  keep,
  type MemoryServer,
  NO_UPLOAD,
  NOT_FOUND,
  sourceOf,
} from "./memory-server.ts"
import type { Answer, ObjectStore, Written } from "./store.ts"

type Uploading = Pick<ObjectStore, "startUpload" | "putPart" | "copyPart" | "complete" | "abort" | "uploads">

export function memoryUploads(server: MemoryServer): Uploading {
  const { bucket, nowMs } = server
  const { uploads } = bucket
  return {
    startUpload: (key, { metadata }) =>
      ask(server, { name: "START", key }, () => {
        const uploadId = `u${bucket.nextUpload++}`
        uploads.set(uploadId, { key, metadata, startedMs: nowMs(), parts: new Map() })
        return ok(uploadId)
      }),
    putPart: ({ key, uploadId }, number, bytes) =>
      ask(server, { name: "PART", key }, () => {
        const upload = uploads.get(uploadId)
        if (upload === undefined) return err(NO_UPLOAD)
        upload.parts.set(number, bytes)
        return ok({ number, etag: md5(bytes) })
      }),
    copyPart: ({ key, uploadId }, number, from) =>
      ask(server, { name: "PART", key }, () => {
        const upload = uploads.get(uploadId)
        if (upload === undefined) return err(NO_UPLOAD)
        const source = sourceOf(server, from)
        if ("kind" in source) return err(source)
        upload.parts.set(number, source.bytes)
        return ok({ number, etag: md5(source.bytes) })
      }),
    complete: (upload, parts, options) => complete(server, { upload, parts, ...options }),
    abort: ({ key, uploadId }) =>
      ask(server, { name: "ABORT", key }, () => {
        uploads.delete(uploadId)
        return ok(undefined)
      }),
    uploads: (prefix) =>
      ask(server, { name: "UPLOADS", key: prefix }, () =>
        ok(
          [...uploads]
            .filter(([, { key }]) => key.startsWith(prefix))
            .map(([uploadId, { key, startedMs }]) => ({ uploadId, key, startedMs })),
        ),
      ),
  }
}

interface Completion {
  readonly upload: Parameters<ObjectStore["complete"]>[0]
  readonly parts: Parameters<ObjectStore["complete"]>[1]
  readonly condition?: Parameters<ObjectStore["complete"]>[2]["condition"]
}

async function complete(server: MemoryServer, completion: Completion): Answer<Written> {
  const { bucket, quirks } = server
  const { key, uploadId } = completion.upload
  const completed = await ask<Written>(server, { name: "COMPLETE", key }, () => {
    const upload = bucket.uploads.get(uploadId)
    if (upload === undefined) return err(NO_UPLOAD)
    const condition = quirks.ignoresCompleteCondition ? undefined : completion.condition
    const no = brokenBy(server, key, condition) ?? blockedAt(server, key)
    if (no !== undefined) return err(no)
    const pieces = completion.parts.flatMap(({ number, etag }) => {
      const bytes = upload.parts.get(number)
      return bytes === undefined || md5(bytes) !== etag ? [] : [bytes]
    })
    if (pieces.length !== completion.parts.length || pieces.length === 0) return err(INVALID_PART)
    bucket.uploads.delete(uploadId)
    const object = { bytes: Buffer.concat(pieces), etag: multipartEtag(pieces), metadata: upload.metadata }
    return ok({ etag: keep(server, key, object) })
  })
  if (!completed.ok || !quirks.emptyCompleteEtag) return completed
  return ask(server, { name: "HEAD", key }, () => {
    const object = bucket.objects.get(key)
    return object === undefined ? err(NOT_FOUND) : ok({ etag: headOf(server, object).etag })
  })
}
