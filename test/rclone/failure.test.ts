/** What rclone 1.60.1 and 1.76.0 say when something goes wrong, word for word, and what it means for us. */

import { describe, expect, test } from "vitest"
import { failureOf, NOT_A_DIRECTORY, TAKEN_FOR_A_FILE, UNKNOWN } from "../../src/rclone/failure.ts"
import type { FailureKind } from "../../src/store/store.ts"

type Row = readonly [kind: FailureKind, detail: string, said: string]

const sdk = (request: string, status: number, said: string): string =>
  `operation error S3: ${request}, https response error StatusCode: ${status}, RequestID: 1, HostID: , api error ${said}`
const tried = (request: string, status: number, said: string): string =>
  `operation error S3: ${request}, exceeded maximum number of attempts, 1, https response error StatusCode: ${status}, RequestID: , HostID: , api error ${said}`
const old = (said: string, status: number): string =>
  `error in ListJSON: ${said}\n\tstatus code: ${status}, request id: , host id: `

const S3: readonly Row[] = [
  ["credentials", "StatusCode: 401", sdk("HeadObject", 401, "Unauthorized: Unauthorized")],
  ["credentials", "status code: 401", old("Unauthorized: Unauthorized", 401)],
  ["credentials", "InvalidAccessKeyId", sdk("ListObjects", 403, "InvalidAccessKeyId: no such key")],
  ["credentials", "InvalidAccessKeyId", old("InvalidAccessKeyId: no such key", 403)],
  ["credentials", "SignatureDoesNotMatch", sdk("PutObject", 403, "SignatureDoesNotMatch: it differs")],
  ["clock", "RequestTimeTooSkewed", sdk("PutObject", 403, "RequestTimeTooSkewed: too far")],
  ["clock", "RequestTimeTooSkewed", old("RequestTimeTooSkewed: too far", 403)],
  ["expired", "ExpiredToken", sdk("ListObjects", 400, "ExpiredToken: it has expired")],
  ["expired", "ExpiredToken", old("ExpiredToken: it has expired", 400)],
  ["denied", "StatusCode: 403", sdk("HeadObject", 403, "Forbidden: Forbidden")],
  ["denied", "StatusCode: 403", `failed to find object: ${sdk("HeadObject", 403, "Forbidden: Forbidden")}`],
  ["denied", "AccessDenied", old("AccessDenied: no", 403)],
  ["denied", "status code: 403", "Forbidden: Forbidden\n\tstatus code: 403, request id: , host id: "],
  ["no_bucket", "NoSuchBucket", sdk("PutObject", 404, "NoSuchBucket: there is none")],
  ["no_bucket", "NoSuchBucket", "NoSuchBucket: none\n\tstatus code: 404, request id: , host id: "],
  ["not_found", "directory not found", "error in ListJSON: directory not found"],
  ["busy", "TooManyRequests", sdk("ListObjects", 429, "TooManyRequests: Too Many Requests")],
  ["busy", "SlowDown", tried("ListObjects", 503, "SlowDown: reduce your rate")],
  ["busy", "SlowDown", old("SlowDown: reduce your rate", 503)],
  ["busy", "ServiceUnavailable", tried("HeadObject", 503, "ServiceUnavailable: Service Unavailable")],
  ["refused", "KeyTooLongError", sdk("PutObject", 400, "KeyTooLongError: it is too long")],
  ["refused", "InsufficientStorage", sdk("PutObject", 507, "InsufficientStorage: full")],
  ["refused", "QuotaExceeded", sdk("PutObject", 403, "QuotaExceeded: full")],
  ["unreachable", UNKNOWN, tried("PutObject", 500, "InternalError: we failed")],
  ["unreachable", UNKNOWN, old("InternalError: we failed", 500)],
  [
    "unreachable",
    "connection refused",
    'operation error S3: PutObject, exceeded maximum number of attempts, 1, https response error StatusCode: 0, RequestID: , HostID: , request send failed, Put "http://127.0.0.1:9/b/p/d/a.md?x-id=PutObject": dial tcp 127.0.0.1:9: connect: connection refused',
  ],
  [
    "unreachable",
    "connection refused",
    'RequestError: send request failed\ncaused by: Get "http://127.0.0.1:9/b?delimiter=&max-keys=1000&prefix=p%2F": dial tcp 127.0.0.1:9: connect: connection refused',
  ],
  ["unreachable", UNKNOWN, "corrupted on transfer: sizes differ 5 vs 0"],
]

const WEBDAV: readonly Row[] = [
  ["credentials", "401 Unauthorized", "read metadata failed: 401 Unauthorized"],
  ["denied", "403 Forbidden", "failed to find object: read metadata failed: 403 Forbidden"],
  ["denied", "403 Forbidden", "copy call failed: Forbidden: 403 Forbidden"],
  ["refused", "404 Not Found", "Update mkParentDir failed: 404 Not Found"],
  ["refused", "409 Conflict", "unchunked simple update failed: Conflict: 409 Conflict"],
  [
    "not_implemented",
    "Method Not Allowed",
    "unchunked simple update failed: Method Not Allowed: 405 Method Not Allowed",
  ],
  ["busy", "423 Locked", "Update mkParentDir failed: Locked: 423 Locked"],
  ["busy", "429 Too Many Requests", "error in ListJSON: couldn't list files: 429 Too Many Requests"],
  ["busy", "503 Service Unavailable", "read metadata failed: 503 Service Unavailable"],
  ["unreachable", UNKNOWN, "read metadata failed: 500 Internal Server Error"],
  ["unreachable", "502 Bad Gateway", "error in ListJSON: couldn't list files: 502 Bad Gateway"],
  ["refused", "Insufficient Storage", "Update mkParentDir failed: 507 Insufficient Storage"],
  [
    "unreachable",
    "no such host",
    'read metadata failed: Propfind "http://no-such-host.invalid/p": dial tcp: lookup no-such-host.invalid on 127.0.0.53:53: no such host',
  ],
]

const SFTP: readonly Row[] = [
  [
    "credentials",
    "unable to authenticate",
    "NewFs: couldn't connect SSH: ssh: handshake failed: ssh: unable to authenticate, attempted methods [none password], no supported methods remain",
  ],
  [
    "unreachable",
    "connection refused",
    "NewFs: couldn't connect SSH: dial tcp 127.0.0.1:9: connect: connection refused",
  ],
  ["denied", "permission denied", 'Put mkParentDir failed: mkdir "/locked/in" failed: permission denied'],
  [
    "denied",
    "permission denied",
    'Move Rename failed: sftp: "rename /srv/f.md /srv/ro/f.md: permission denied" (SSH_FX_FAILURE)',
  ],
  [
    "refused",
    "no space left on device",
    'Update Close failed: sftp: "write /srv/big: no space left on device" (SSH_FX_FAILURE)',
  ],
  [
    "refused",
    "file name too long",
    'Update Close failed: sftp: "open /srv/nnn.md: file name too long" (SSH_FX_FAILURE)',
  ],
  ["refused", NOT_A_DIRECTORY, "Put mkParentDir failed: mkdir dirExists failed: is a file not a directory"],
  ["unreachable", UNKNOWN, 'Move Rename failed: sftp: "Failure" (SSH_FX_FAILURE)'],
]

const LOCAL: readonly Row[] = [
  ["denied", "permission denied", "open /srv/ro/b.md: permission denied"],
  ["not_found", "object not found", "object not found"],
  ["not_found", "directory not found", "error in ListJSON: directory not found"],
  ["refused", "file name too long", "open /srv/nnn.md: file name too long"],
  ["refused", NOT_A_DIRECTORY, "lstat /srv/f.md/x: not a directory"],
  ["refused", "is a directory", "open /srv/dir.md: is a directory"],
  ["refused", "too big for remaining disk space", "preallocate: file too big for remaining disk space"],
]

/** From the source of the backend and of the client library that it uses, not from a request of ours. */
const DRIVE: readonly Row[] = [
  ["credentials", "authError", "googleapi: Error 401: Invalid Credentials, authError"],
  [
    "expired",
    "token expired",
    'couldn\'t list directory: Get "https://www.googleapis.com/drive/v3/files?alt=json": couldn\'t fetch token: invalid_grant: maybe token expired? - try refreshing with "rclone config reconnect d:"',
  ],
  ["credentials", "invalid_grant", 'oauth2: "invalid_grant" "Token has been revoked."'],
  ["credentials", "empty token found", 'empty token found - please run "rclone config reconnect d:"'],
  [
    "denied",
    "insufficientPermissions",
    "googleapi: Error 403: Insufficient Permission: Request had insufficient authentication scopes., insufficientPermissions",
  ],
  ["not_found", "File not found", "googleapi: Error 404: File not found: 1aBc., notFound"],
  [
    "busy",
    "rateLimitExceeded",
    "googleapi: Error 403: Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service 'drive.googleapis.com' for consumer 'project_number:1'., rateLimitExceeded",
  ],
  ["busy", "userRateLimitExceeded", "googleapi: Error 403: User Rate Limit Exceeded, userRateLimitExceeded"],
  [
    "refused",
    "QuotaExceeded",
    "googleapi: Error 403: The user's Drive storage quota has been exceeded., storageQuotaExceeded",
  ],
  ["not_implemented", "didn't find backend", 'didn\'t find backend called "new-cloud"'],
  [
    "not_implemented",
    "config name contains invalid characters",
    "config name contains invalid characters - may only contain `0-9`, `A-Z`, `a-z`, `_`, `-`, `.` and space ",
  ],
]

describe.each([
  ["S3", S3],
  ["WebDAV", WEBDAV],
  ["SFTP", SFTP],
  ["a folder", LOCAL],
  ["Drive", DRIVE],
] as const)("of %s", (_, rows) => {
  test.each(rows)("%s (%s) is what is meant by: %s", (kind, detail, said) => {
    expect(failureOf(said, 500)).toEqual({ kind, detail, via: "rclone", status: 500 })
  })
})

test("a directory that rclone could not see is not taken for a name below that of a file", () => {
  const { kind, detail } = failureOf("failed to make Fs: is a file not a directory")
  expect({ kind, detail }).toEqual({ kind: "unreachable", detail: TAKEN_FOR_A_FILE })
  expect(detail).not.toBe(NOT_A_DIRECTORY)
})

test("nothing of a sentence is handed on but the words that were known beforehand", () => {
  const secret = "hunter2-Zm9vYmFy"
  for (const [, , said] of [...S3, ...WEBDAV, ...SFTP, ...LOCAL, ...DRIVE]) {
    const { detail } = failureOf(`${secret} ${said} https://u:${secret}@host.example/?key=${secret}`)
    expect(detail).not.toContain(secret)
    expect(detail.length).toBeLessThanOrEqual(40)
  }
})
