/**
 * Sends a presigned DELETE exactly once: signed to expire at the server, and not sent at all where its time is over by
 * the moment at which its bytes would leave. The SDK would send it again.
 */

import { request as httpRequest } from "node:http"
import { request as httpsRequest } from "node:https"
import type { S3Client } from "@aws-sdk/client-s3"
import { err, ok, type Result } from "../model/result.ts"
import { failureOf } from "./failure.ts"
import type { Sdk } from "./sdk-client.ts"
import type { Failure } from "../store/store.ts"

const BODY_BYTES_MAX = 64 * 1024

/** Whoever has this URL may delete the object until it expires: it is sent, and shown to nobody. */
export async function presignDelete(
  sdk: Sdk,
  client: S3Client,
  at: {
    readonly bucket: string
    readonly key: string
    readonly expiresInS: number
    readonly signedMs: number
  },
): Promise<string> {
  const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner")
  const { bucket, key, expiresInS, signedMs } = at
  return getSignedUrl(client, new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key }), {
    expiresIn: expiresInS,
    signingDate: new Date(signedMs),
  })
}

export function sendOnce(
  url: string,
  {
    mayStillSend,
    idleMs,
    headers = {},
  }: {
    readonly mayStillSend: () => boolean
    readonly idleMs: number
    readonly headers?: Readonly<Record<string, string>>
  },
): Promise<Result<void, Failure>> {
  const target = new URL(url)
  const isTls = target.protocol === "https:"
  return new Promise((resolve) => {
    const request = (isTls ? httpsRequest : httpRequest)(target, {
      method: "DELETE",
      headers: { ...headers },
      // A connection of its own: one from a pool may be dead, and nobody would send the request again.
      agent: false,
      timeout: idleMs,
      ...(isTls && { rejectUnauthorized: true }),
    })
    const fail = (error: unknown): void => resolve(err(failureOf(error)))
    request.on("error", fail)
    request.on("timeout", () => request.destroy(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" })))
    request.on("response", (response) => {
      const pieces: Buffer[] = []
      let bytes = 0
      response.on("data", (piece: Buffer) => {
        bytes += piece.length
        if (bytes > BODY_BYTES_MAX)
          response.destroy(Object.assign(new Error("too large"), { code: "EMSGSIZE" }))
        else pieces.push(piece)
      })
      response.on("error", fail)
      response.on("end", () => resolve(answerOf(response.statusCode ?? 0, Buffer.concat(pieces).toString())))
    })
    // Nothing is written before the connection stands; this is the last moment at which it can be left.
    request.on("socket", (socket) => {
      const send = (): void => {
        if (mayStillSend()) request.end()
        else {
          resolve(err({ kind: "too_late", detail: "" }))
          request.destroy()
        }
      }
      if (socket.connecting) socket.once(isTls ? "secureConnect" : "connect", send)
      else send()
    })
  })
}

function answerOf(status: number, body: string): Result<void, Failure> {
  // A gateway that says 200 to a DELETE says nothing else with it; the page of some network does.
  if (status === 204 || (status === 200 && body.trim() === "")) return ok(undefined)
  const code = /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(body)?.[1]
  const answered = Object.assign(new Error("answered"), { $metadata: { httpStatusCode: status } })
  if (code !== undefined) answered.name = code
  const failure = failureOf(answered)
  return failure.kind === "not_found" ? ok(undefined) : err(failure)
}
