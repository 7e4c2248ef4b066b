/**
 * Requests about one object: look, read, write, copy, delete.
 *
 * A delete without a condition is no request of the SDK's, which would send it again (`sdk-once.ts`).
 */

import type { GetObjectCommandOutput, HeadObjectCommandOutput } from "@aws-sdk/client-s3"
import { err, ok } from "../model/result.ts"
import { Nonsense } from "./failure.ts"
import { isStream, sendBody, wholeBody } from "./sdk-body.ts"
import { ask, at, etagText, mustEtag, quoted, type SdkSide, unquoted } from "./sdk-client.ts"
import { presignDelete, sendOnce } from "./sdk-once.ts"
import type { Condition, ObjectHead, ObjectStore } from "../store/store.ts"

type Requests = Pick<ObjectStore, "head" | "get" | "put" | "copy" | "remove" | "removeOnce">

export function objectRequests(side: SdkSide): Requests {
  const { sdk, client, clock, nowMs, patience, headers } = side
  return {
    head: (key) => ask(side, () => headObject(side, key)),
    get: (key, options) => getObject(side, key, options),
    put: (key, body, { condition, metadata }) => {
      const input = { ...at(side, key), ...conditionOf(side, condition), Metadata: { ...metadata } }
      return ask(
        side,
        async () => {
          const { ETag } = await sendBody(body, (sent, abortSignal) =>
            client.send(new sdk.PutObjectCommand({ ...input, ...sent }), { abortSignal }),
          )
          return { etag: mustEtag(ETag) }
        },
        { isConditional: condition?.kind === "match", isStreamed: body.kind === "stream" },
      )
    },
    copy: (from, to, { ifMatch, condition, metadata }) =>
      ask(
        side,
        async () => {
          const { CopyObjectResult: copied } = await client.send(
            new sdk.CopyObjectCommand({
              ...at(side, to),
              ...conditionOf(side, condition),
              CopySource: copySourceOf(side, from),
              CopySourceIfMatch: quoted(ifMatch),
              MetadataDirective: "REPLACE",
              Metadata: { ...metadata },
            }),
          )
          return { etag: mustEtag(copied?.ETag) }
        },
        { isConditional: true },
      ),
    async remove(key, { ifMatch }) {
      const conditional = ifMatch === undefined ? {} : { IfMatch: etagText(side, ifMatch) }
      const removed = await ask(side, async () => {
        await client.send(new sdk.DeleteObjectCommand({ ...at(side, key), ...conditional }))
      })
      // AWS says so where a condition names a version of a key that is gone.
      return !removed.ok && removed.error.kind === "not_found" ? ok(undefined) : removed
    },
    async removeOnce(key, { expiresInS, mayStillSend, signedMsAgo = 0 }) {
      // By the server's clock, which is the one that decides whether it expired.
      const signedMs = nowMs() + (clock.skewMs ?? 0) - signedMsAgo
      const { Bucket: bucket, Key: prefixed } = at(side, key)
      const signed = await ask(side, () =>
        presignDelete(sdk, client, { bucket, key: prefixed, expiresInS, signedMs }),
      )
      if (!signed.ok) return signed
      if (!mayStillSend()) return err({ kind: "too_late", detail: "" })
      return sendOnce(signed.value, { mayStillSend, idleMs: patience.idleMs, ...(headers && { headers }) })
    },
  }
}

export function conditionOf(
  side: SdkSide,
  condition: Condition | undefined,
): { readonly IfMatch?: string; readonly IfNoneMatch?: string } {
  if (condition === undefined) return {}
  return condition.kind === "absent" ? { IfNoneMatch: "*" } : { IfMatch: etagText(side, condition.etag) }
}

export function copySourceOf({ address }: SdkSide, from: string): string {
  return `${address.bucket}/${(address.prefix + from).split("/").map(encodeURIComponent).join("/")}`
}

export async function headObject(side: SdkSide, key: string): Promise<ObjectHead> {
  return headOf(side, await side.client.send(new side.sdk.HeadObjectCommand(at(side, key))))
}

async function getObject(
  side: SdkSide,
  key: string,
  { ifMatch, limitBytes }: Parameters<ObjectStore["get"]>[1],
): ReturnType<ObjectStore["get"]> {
  const { sdk, client, patience } = side
  const conditional = ifMatch === undefined ? {} : { IfMatch: quoted(ifMatch) }
  const got = await ask(
    side,
    async () => {
      const output = await client.send(new sdk.GetObjectCommand({ ...at(side, key), ...conditional }))
      const head = headOf(side, output)
      const { Body: body } = output
      if (!isStream(body)) throw new Nonsense("an object without a body")
      // A server that ignores the condition gives another version.
      if (ifMatch !== undefined && head.etag !== ifMatch) {
        body.destroy()
        return undefined
      }
      if (limitBytes !== undefined && head.sizeBytes > limitBytes) {
        body.destroy()
        throw new Nonsense("an object that is larger than it was")
      }
      return { head, body: wholeBody(body, { sizeBytes: head.sizeBytes, idleMs: patience.idleMs }) }
    },
    { isConditional: ifMatch !== undefined },
  )
  if (!got.ok) return got
  return got.value === undefined ? err({ kind: "precondition", detail: "" }) : ok(got.value)
}

function headOf(
  { clock, nowMs }: SdkSide,
  output: HeadObjectCommandOutput | GetObjectCommandOutput,
): ObjectHead {
  const { ETag, ContentLength, LastModified, Metadata: metadata = {} } = output
  if (ETag === undefined || ContentLength === undefined) throw new Nonsense("an object without etag or size")
  return {
    etag: unquoted(ETag),
    sizeBytes: ContentLength,
    lastModifiedMs: LastModified?.getTime() ?? nowMs(),
    metadata,
    ...(clock.skewMs !== undefined && { serverMs: nowMs() + clock.skewMs }),
  }
}
