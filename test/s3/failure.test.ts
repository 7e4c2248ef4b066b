/**
 * Every way in which a request can fail has one meaning, and nothing secret comes along with it.
 */

import { describe, expect, test } from "vitest"
import { failureOf, isOurs, Nonsense, wordOf } from "../../src/s3/failure.ts"
import type { FailureKind } from "../../src/store/store.ts"

function answered(status: number, name = "UnknownError", more: object = {}): Error {
  const error = Object.assign(
    new Error("a message with SECRET"),
    { $metadata: { httpStatusCode: status } },
    more,
  )
  error.name = name
  return error
}

function broken(code: string, name = "Error"): Error {
  return Object.assign(new Error(`connect ${code} SECRET`), { code, name })
}

describe("what a server answers", () => {
  test.each<readonly [number, string, FailureKind]>([
    [412, "PreconditionFailed", "precondition"],
    [200, "PreconditionFailed", "precondition"],
    [409, "ConditionalRequestConflict", "conflict"],
    [409, "OperationAborted", "conflict"],
    [404, "NoSuchKey", "not_found"],
    [404, "NotFound", "not_found"],
    [404, "NoSuchUpload", "not_found"],
    [404, "NoSuchBucket", "no_bucket"],
    [403, "InvalidAccessKeyId", "credentials"],
    [403, "SignatureDoesNotMatch", "credentials"],
    [400, "ExpiredToken", "expired"],
    [403, "AccessDenied", "denied"],
    [403, "RequestTimeTooSkewed", "clock"],
    [501, "NotImplemented", "not_implemented"],
    [503, "SlowDown", "busy"],
    [429, "TooManyRequests", "busy"],
    [500, "InternalError", "unreachable"],
    [400, "InvalidArgument", "refused"],
    [400, "constructor", "refused"],
  ])("%i %s is %s", (status, name, kind) => {
    expect(failureOf(answered(status, name))).toEqual({ kind, detail: name, status })
  })

  test.each<readonly [number, FailureKind]>([
    [200, "nonsense"],
    [302, "refused"],
    [400, "refused"],
    [401, "credentials"],
    [403, "denied"],
    [404, "not_found"],
    [409, "conflict"],
    [412, "precondition"],
    [429, "busy"],
    [500, "unreachable"],
    [501, "not_implemented"],
    [502, "unreachable"],
    [503, "busy"],
    [504, "unreachable"],
  ])("%i without a word is %s", (status, kind) => {
    expect(failureOf(answered(status))).toEqual({ kind, detail: `HTTP ${status}`, status })
  })

  test("a key that is gone does not hold what a condition says", () => {
    expect(failureOf(answered(404, "NoSuchKey"), { isConditional: true }).kind).toBe("precondition")
    expect(failureOf(answered(404), { isConditional: true }).kind).toBe("precondition")
  })

  test.each(["NoSuchBucket", "NoSuchUpload"])("%s is no matter of a condition", (name) => {
    expect(failureOf(answered(404, name), { isConditional: true }).kind).not.toBe("precondition")
  })

  test("another region is named", () => {
    const headers = { "x-amz-bucket-region": "eu-west-1" }
    const moved = answered(301, "PermanentRedirect", { $response: { headers } })
    expect(failureOf(moved)).toEqual({
      kind: "refused",
      detail: "PermanentRedirect: the region is eu-west-1",
      status: 301,
    })
    const malformed = answered(400, "AuthorizationHeaderMalformed", { Region: "eu-west-1" })
    expect(failureOf(malformed).detail).toBe("AuthorizationHeaderMalformed: the region is eu-west-1")
  })
})

describe("what the network says", () => {
  test.each([
    "ECONNREFUSED",
    "ECONNRESET",
    "ENOTFOUND",
    "EAI_AGAIN",
    "ETIMEDOUT",
    "EPIPE",
    "EPROTO",
    "HPE_INVALID_CONSTANT",
    "CERT_HAS_EXPIRED",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "ERR_SSL_WRONG_VERSION_NUMBER",
  ])("%s is unreachable, in the system's word", (code) => {
    expect(failureOf(broken(code))).toEqual({ kind: "unreachable", detail: code })
    expect(failureOf(broken(code, "TimeoutError"))).toEqual({ kind: "unreachable", detail: code })
    expect(isOurs(broken(code, "TypeError"))).toBe(false)
  })

  test("a time-out of the SDK's is unreachable", () => {
    expect(failureOf(Object.assign(new Error(), { name: "TimeoutError" }))).toEqual({
      kind: "unreachable",
      detail: "TimeoutError",
    })
  })

  test("the word behind a cause is found", () => {
    expect(wordOf(new Error("fetch failed", { cause: broken("ECONNRESET") }))).toBe("ECONNRESET")
  })
})

describe("what the SDK finds out by itself", () => {
  test("no key pair anywhere", () => {
    const error = Object.assign(new Error("Could not load"), { name: "CredentialsProviderError" })
    expect(failureOf(error)).toEqual({ kind: "credentials", detail: "missing" })
  })

  test("a session that has expired", () => {
    const message = "The SSO session associated with this profile has expired"
    const error = Object.assign(new Error(message), { name: "CredentialsProviderError" })
    expect(failureOf(error)).toEqual({ kind: "expired", detail: "expired" })
  })
})

test("an answer that is not S3's is nonsense, in our words", () => {
  expect(failureOf(new Nonsense("no listing in the answer"))).toEqual({
    kind: "nonsense",
    detail: "no listing in the answer",
  })
})

test.each([
  answered(400, "https://h.example.com/?X-Amz-Signature=SECRET"),
  answered(400, "Error"),
  answered(403, "x".repeat(100)),
  answered(301, "PermanentRedirect", { Region: "SECRET SECRET" }),
  broken("SECRET=1"),
  new Error("SECRET"),
])("nothing of the answer but its word is handed on (%#)", (error) => {
  expect(JSON.stringify(failureOf(error))).not.toMatch(/SECRET|xxx/)
})

test.each([
  new TypeError("x is not a function"),
  new Error("assertion failed: x"),
  new RangeError("x"),
  "text",
])("our own mistakes are no failures of the world (%#)", (error) => {
  expect(isOurs(error)).toBe(true)
})

test("what the SDK could not read of an answer is no mistake of ours", () => {
  expect(isOurs(Object.assign(new TypeError("x"), { $response: {} }))).toBe(false)
})
