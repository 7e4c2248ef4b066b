/** Remote URLs: what the user may write after `--remote`, parsed once. */

import { isAbsolute, resolve, sep } from "node:path"
import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import { parseS3Url, type S3Address } from "../s3/address.ts"
import { parseRcloneUrl, type RcloneAddress } from "../rclone/address.ts"
import { type Config, expandHome, type Place } from "./config.ts"

export type Remote = FileRemote | S3Remote | RcloneRemote

export interface FileRemote {
  readonly kind: "file"
  readonly path: string
  /** In its normal form, as it is shown and stored. */
  readonly url: string
}

export interface S3Remote {
  readonly kind: "s3"
  readonly address: S3Address
  readonly url: string
  /** The bucket of a cloud account, whose storage must be told to answer with what was written last. */
  readonly isTenant?: boolean
}

export interface RcloneRemote {
  readonly kind: "rclone"
  readonly address: RcloneAddress
  readonly url: string
  readonly isTenant?: boolean
}

/** The remote that this device was set up with. */
export function remoteOf(config: Pick<Config, "remote" | "tenant">, place: Place): Result<Remote, SyncError> {
  const parsed = parseRemote(config.remote, place)
  if (!parsed.ok || config.tenant === undefined || parsed.value.kind === "file") return parsed
  return ok({ ...parsed.value, isTenant: true })
}

/** As the user knows it: the endpoint of a cloud account is nobody's choice. */
export function shownRemote({ remote, tenant }: Pick<Config, "remote" | "tenant">): string {
  return tenant === undefined ? remote : `s3://${tenant.bucket}`
}

export function parseRemote(text: string, place: Place): Result<Remote, SyncError> {
  const usage = (message: string) => err({ code: "usage", message } as const)
  if (text.startsWith("file:")) {
    const path = expandHome(text.slice("file:".length).replace(/^\/\/(?=\/)/, ""), place.home)
    if (!isAbsolute(path) || path.includes("\0"))
      return usage(`${text} is not a remote: write file:/path/to/folder with the whole path`)
    const normal = resolve(path)
    return ok({ kind: "file", path: normal, url: `file:${normal}` })
  }
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]
  if (scheme === "s3") {
    const address = parseS3Url(text)
    return address.ok
      ? ok({ kind: "s3", address: address.value, url: address.value.url })
      : usage(address.error)
  }
  if (scheme === "rclone") {
    const address = parseRcloneUrl(text)
    return address.ok
      ? ok({ kind: "rclone", address: address.value, url: address.value.url })
      : usage(address.error)
  }
  return usage(
    `${text} is not a remote this program knows: write file:/path/to/folder, s3://bucket/prefix or rclone:name:path`,
  )
}

/** True where one of the two lies in the other: a sync would copy a folder into itself. */
export function overlaps(a: string, b: string): boolean {
  const within = (inner: string, outer: string) =>
    inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : outer + sep)
  return within(a, b) || within(b, a)
}
