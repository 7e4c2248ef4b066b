/**
 * Uploads in parts: begin, send, complete under a condition, give up, and find what was left behind.
 *
 * What Complete wrote must be known by its etag. A server that does not say it (Ceph) is asked, and believed only if
 * the answer is the etag that these parts must have; otherwise nobody knows whose object is there.
 */

import { createHash } from "node:crypto"
import { Nonsense } from "./failure.ts"
import { ask, at, mustEtag, quoted, type SdkSide, unquoted } from "./sdk-client.ts"
import { conditionOf, copySourceOf, headObject } from "./sdk-objects.ts"
import type { Etag, ObjectStore, Part, Upload } from "../store/store.ts"

type Requests = Pick<ObjectStore, "startUpload" | "putPart" | "copyPart" | "complete" | "abort" | "uploads">

const UPLOAD_PAGES_MAX = 100
const MD5 = /^[0-9a-f]{32}$/

export function partRequests(side: SdkSide): Requests {
  const { sdk, client } = side
  return {
    startUpload: (key, { metadata }) =>
      ask(side, async () => {
        const input = { ...at(side, key), Metadata: { ...metadata } }
        const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand(input))
        if (UploadId === undefined || UploadId === "") throw new Nonsense("an upload without an id")
        return UploadId
      }),
    putPart: ({ key, uploadId }, number, bytes) =>
      ask(side, async () => {
        const part = { UploadId: uploadId, PartNumber: number, Body: bytes }
        const { ETag } = await client.send(new sdk.UploadPartCommand({ ...at(side, key), ...part }))
        return { number, etag: mustEtag(ETag) }
      }),
    copyPart: ({ key, uploadId }, number, from) =>
      ask(
        side,
        async () => {
          const { CopyPartResult: copied } = await client.send(
            new sdk.UploadPartCopyCommand({
              ...at(side, key),
              UploadId: uploadId,
              PartNumber: number,
              CopySource: copySourceOf(side, from.key),
              CopySourceIfMatch: quoted(from.ifMatch),
            }),
          )
          return { number, etag: mustEtag(copied?.ETag) }
        },
        { isConditional: true },
      ),
    complete: (upload, parts, { condition }) =>
      ask(
        side,
        async () => {
          const { ETag } = await client.send(
            new sdk.CompleteMultipartUploadCommand({
              ...at(side, upload.key),
              ...conditionOf(side, condition),
              UploadId: upload.uploadId,
              MultipartUpload: {
                Parts: parts.map(({ number, etag }) => ({ PartNumber: number, ETag: quoted(etag) })),
              },
            }),
          )
          const etag = unquoted(ETag ?? "")
          return { etag: etag === "" ? await completedEtag(side, upload.key, parts) : etag }
        },
        { isConditional: condition?.kind === "match" },
      ),
    abort: ({ key, uploadId }) =>
      ask(side, async () => {
        await client.send(new sdk.AbortMultipartUploadCommand({ ...at(side, key), UploadId: uploadId }))
      }),
    uploads: (prefix) => ask(side, () => allUploads(side, prefix)),
  }
}

async function completedEtag(side: SdkSide, key: string, parts: readonly Part[]): Promise<Etag> {
  const { etag } = await headObject(side, key)
  if (etag === etagOfParts(parts)) return etag
  // As 409: whoever asked looks whether what is there is theirs.
  throw Object.assign(new Error("completed, and by whom is not known"), {
    name: "ConditionalRequestConflict",
  })
}

/** What every server makes of single parts' MD5s, if they are such. */
export function etagOfParts(parts: readonly Part[]): Etag | undefined {
  if (!parts.every(({ etag }) => MD5.test(etag))) return undefined
  const digests = [...parts].sort((a, b) => a.number - b.number).map(({ etag }) => Buffer.from(etag, "hex"))
  return `${createHash("md5").update(Buffer.concat(digests)).digest("hex")}-${parts.length}`
}

async function allUploads(side: SdkSide, prefix: string): Promise<readonly Upload[]> {
  const { sdk, client, address, nowMs } = side
  const asked = address.prefix + prefix
  const found: Upload[] = []
  let markers: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } = {}
  for (let pages = 0; pages < UPLOAD_PAGES_MAX; pages++) {
    // Without a prefix: MinIO takes one for a whole key, and would show nothing.
    const input = { Bucket: address.bucket, ...markers }
    const page = await client.send(new sdk.ListMultipartUploadsCommand(input))
    for (const { Key: key, UploadId: uploadId, Initiated: started } of page.Uploads ?? [])
      if (key?.startsWith(asked) === true && uploadId !== undefined)
        found.push({
          key: key.slice(address.prefix.length),
          uploadId,
          startedMs: started?.getTime() ?? nowMs(),
        })
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page
    if (IsTruncated !== true || NextKeyMarker === undefined) return found
    markers = { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker ?? "" }
  }
  return found
}
