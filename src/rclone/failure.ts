/**
 * What rclone says when something goes wrong, sorted by what it means for us. PURE.
 *
 * It speaks for seventy storages in plain text, so the words of the storage decide. What is handed on is one of the words
 * found, never the sentence: it may hold a URL. What nobody understands may have happened or not.
 */

import type { Failure, FailureKind } from "../store/store.ts"

/** The first that is found counts; the bracket that is handed on is the first group, or all of it. */
const RULES: readonly (readonly [RegExp, FailureKind])[] = [
  [/\b(NoSuchBucket)\b/, "no_bucket"],
  // What rclone says of a directory that it could not see.
  [/(?<!dirExists failed: )(is a file not a directory)/, "unreachable"],
  [/\b(ExpiredToken\w*|TokenRefreshRequired|token (?:has )?expired)/i, "expired"],
  [
    /\b(InvalidAccessKeyId|XAdminUserNotFound|SignatureDoesNotMatch|InvalidSignature|InvalidToken)\b/,
    "credentials",
  ],
  [
    /\b(invalid_grant|invalid_client|invalid_access_token|authError|empty token found|401 Unauthorized)\b/,
    "credentials",
  ],
  [/\b(unable to authenticate|authentication failed|couldn't fetch token|login required)\b/i, "credentials"],
  [/\b(status ?code:? 401)\b/i, "credentials"],
  [/\b(RequestTimeTooSkewed)\b/, "clock"],
  [
    /\b(SlowDown|TooManyRequests|ServiceUnavailable|userRateLimitExceeded|rateLimitExceeded|too_many_requests)\b/,
    "busy",
  ],
  [/\b(status ?code:? (?:429|503)|429 Too Many Requests|503 Service Unavailable)\b/i, "busy"],
  // Of WebDAV: somebody else is at it right now, and it did nothing.
  [/\b(423 Locked)\b/, "busy"],
  [
    /(no space left on device|insufficient ?storage|quota ?exceeded|disk quota|too big for remaining disk space)/i,
    "refused",
  ],
  [
    /\b(AccessDenied|403 Forbidden|permission denied|insufficientPermissions|status ?code:? 403)\b/i,
    "denied",
  ],
  [
    /\b(object not found|directory not found|file not found|no such file or directory|NoSuchKey)\b/i,
    "not_found",
  ],
  [
    /(connection refused|no such host|i\/o timeout|network is unreachable|no route to host|connection reset|connection lost|broken pipe|unexpected EOF|context canceled|context deadline exceeded|TLS handshake|x509[^:]*|server misbehaving|use of closed network connection|502 Bad Gateway|504 Gateway Time-?out)/,
    "unreachable",
  ],
  [
    /(file name too long|KeyTooLongError|invalid file ?name|invalid argument|not a directory|is a directory|illegal\w*|400 Bad Request|404 Not Found|409 Conflict)/i,
    "refused",
  ],
  [
    /(not supported|not implemented|NotImplemented|method not allowed|didn't find backend|config name contains invalid characters)/i,
    "not_implemented",
  ],
]

/** The detail where rclone could not see that it is a directory, or where it is none. */
export const TAKEN_FOR_A_FILE = "is a file not a directory"

/** The detail where a name lies below that of a file. */
export const NOT_A_DIRECTORY = "not a directory"

/** The detail where none of its words is known. */
export const UNKNOWN = "unknown"

export function failureOf(text: string, status?: number): Failure {
  for (const [words, kind] of RULES) {
    const found = words.exec(text)
    if (found !== null)
      return { kind, detail: found[1] ?? found[0], via: "rclone", ...(status !== undefined && { status }) }
  }
  return { kind: "unreachable", detail: UNKNOWN, via: "rclone", ...(status !== undefined && { status }) }
}
