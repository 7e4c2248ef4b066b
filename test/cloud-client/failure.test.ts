/**
 * Every status of the service has its own meaning, and no text of it is dangerous or tells a secret.
 */

import { describe, expect, test } from "vitest"
import { type CloudFailure, failureOf, speakable } from "../../src/cloud/failure.ts"

const SUBSCRIPTION = {
  error: "subscription_required",
  message: "Active subscription required for CLI access",
  subscribe_url: "https://example.com/subscribe",
}
const subscription = (subscribeUrl?: string): CloudFailure => ({
  kind: "subscription_required",
  message: SUBSCRIPTION.message,
  ...(subscribeUrl !== undefined && { subscribeUrl }),
})

interface Row {
  readonly rule: string
  readonly status: number
  readonly value?: unknown
  readonly path?: string
  readonly failure: CloudFailure | undefined
}

test.each<Row>([
  { rule: "200 is a success", status: 200, failure: undefined },
  { rule: "204 is a success", status: 204, failure: undefined },
  { rule: "401: not logged in", status: 401, value: { detail: "x" }, failure: { kind: "not_authenticated" } },
  {
    rule: "403 with a subscription error inside the detail",
    status: 403,
    value: { detail: SUBSCRIPTION },
    failure: subscription(SUBSCRIPTION.subscribe_url),
  },
  {
    rule: "403 with a subscription error by itself",
    status: 403,
    value: SUBSCRIPTION,
    failure: subscription(SUBSCRIPTION.subscribe_url),
  },
  {
    rule: "a subscription error goes before a missing tenant",
    status: 403,
    path: "/tenant/mount/info",
    value: { detail: SUBSCRIPTION },
    failure: subscription(SUBSCRIPTION.subscribe_url),
  },
  {
    rule: "a subscription error without a message says the usual",
    status: 403,
    value: { detail: { error: "subscription_required" } },
    failure: { kind: "subscription_required", message: "Active subscription required" },
  },
  {
    rule: "403 below /tenant/: no tenant",
    status: 403,
    path: "/tenant/mount/info",
    value: { detail: "Forbidden" },
    failure: { kind: "no_tenant", detail: "Forbidden" },
  },
  {
    rule: "403 that speaks of a tenant",
    status: 403,
    value: { detail: "Tenant not found" },
    failure: { kind: "no_tenant", detail: "Tenant not found" },
  },
  {
    rule: "any other 403",
    status: 403,
    value: { detail: "No." },
    failure: { kind: "denied", detail: "No." },
  },
  { rule: "403 without a word", status: 403, failure: { kind: "denied" } },
  {
    rule: "404",
    status: 404,
    value: { detail: "Project 'x' not found" },
    failure: { kind: "not_found", detail: "Project 'x' not found" },
  },
  {
    rule: "400 with what is wrong",
    status: 400,
    value: { detail: "Project 'x' already exists" },
    failure: { kind: "refused", status: 400, detail: "Project 'x' already exists" },
  },
  {
    rule: "422, whose detail is no text",
    status: 422,
    value: { detail: [{ loc: ["body"] }] },
    failure: { kind: "refused", status: 422 },
  },
  { rule: "429", status: 429, failure: { kind: "refused", status: 429 } },
  {
    rule: "503 with a reason",
    status: 503,
    value: { detail: "down for maintenance" },
    failure: { kind: "server_error", status: 503, detail: "down for maintenance" },
  },
  { rule: "500", status: 500, failure: { kind: "server_error", status: 500 } },
])("$rule", ({ status, value, path = "/proxy/health", failure }) => {
  expect(failureOf({ status, value }, { path, secrets: [] })).toEqual(failure)
})

test.each([
  "http://example.com/subscribe",
  "javascript:alert(1)",
  "https://example.com/\u001b]8;;x",
  "https://good.example@evil.example",
  "https://example.com/?t=token-of-mine",
  undefined,
  7,
])("a subscription error hands on no URL where it is %j", (subscribe_url) => {
  const value = { detail: { ...SUBSCRIPTION, subscribe_url } }
  const failure = failureOf({ status: 403, value }, { path: "/proxy/health", secrets: ["token-of-mine"] })
  expect(failure).toEqual(subscription())
})

describe("a text of the service", () => {
  test("is one line without anything that a terminal acts upon", () => {
    expect(speakable("a\u001b[31m\r\nb\u202ec\u0000\u2028d\ud800e", [])).toBe("a [31m b c d e")
  })

  test("is cut between characters", () => {
    expect(speakable("\u{1f600}".repeat(2000), [])).toBe("\u{1f600}".repeat(500))
  })

  test("does not repeat what was sent as a secret", () => {
    const value = { detail: "no such token: access-1 (from refresh-1), access-1" }
    const failure = failureOf(
      { status: 400, value },
      { path: "/", secrets: ["access-1", "refresh-1", "a", ""] },
    )
    expect(failure).toEqual({
      kind: "refused",
      status: 400,
      detail: "no such token: [secret] (from [secret]), [secret]",
    })
  })

  test.each([undefined, null, 7, "", "  \n ", {}, ["x"]])("is absent where it is %j", (value) => {
    expect(speakable(value, [])).toBeUndefined()
  })
})
