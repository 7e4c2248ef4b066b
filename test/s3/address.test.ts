/**
 * URLs of buckets: what they mean, their normal form, and that no key pair and no open line gets in with them.
 */

import { describe, expect, test } from "vitest"
import { isLoopback } from "../../src/model/loopback.ts"
import { parseS3Url, type S3Address } from "../../src/s3/address.ts"

type Good = Omit<S3Address, "url"> & { readonly text: string; readonly url?: string }

const B = { bucket: "notes", prefix: "" }

describe("means", () => {
  test.each<Good>([
    { text: "s3://notes", ...B },
    { text: "s3://notes/", ...B, url: "s3://notes" },
    { text: "S3://notes", ...B, url: "s3://notes" },
    { text: "s3://notes/team", bucket: "notes", prefix: "team/" },
    { text: "s3://notes//team/a//", bucket: "notes", prefix: "team/a/", url: "s3://notes/team/a" },
    { text: "s3://notes/my notes", bucket: "notes", prefix: "my notes/", url: "s3://notes/my%20notes" },
    { text: "s3://notes/a%3Fb%23c%25", bucket: "notes", prefix: "a?b#c%/" },
    { text: "s3://notes/%C3%A9", bucket: "notes", prefix: "é/" },
    { text: "s3://notes/a+b", bucket: "notes", prefix: "a+b/", url: "s3://notes/a%2Bb" },
    { text: "s3://notes?region=eu-central-1", ...B, region: "eu-central-1" },
    { text: "s3://notes?endpoint=https://s3.example.com", ...B, endpoint: "https://s3.example.com" },
    {
      text: "s3://notes?region=auto&endpoint=https%3A%2F%2FS3.example.com%3A443%2F",
      ...B,
      region: "auto",
      endpoint: "https://s3.example.com",
      url: "s3://notes?endpoint=https://s3.example.com&region=auto",
    },
    {
      text: "s3://notes?endpoint=https://x.example.com/storage/v1/s3",
      ...B,
      endpoint: "https://x.example.com/storage/v1/s3",
    },
    {
      text: "s3://notes?endpoint=https://x.example.com/a%2526b",
      ...B,
      endpoint: "https://x.example.com/a%26b",
    },
    { text: "s3://notes?endpoint=http://127.0.0.1:9000", ...B, endpoint: "http://127.0.0.1:9000" },
    { text: "s3://notes?endpoint=http://127.9.9.9", ...B, endpoint: "http://127.9.9.9" },
    { text: "s3://notes?endpoint=http://localhost:1", ...B, endpoint: "http://localhost:1" },
    { text: "s3://notes?endpoint=http://[::1]:9000", ...B, endpoint: "http://[::1]:9000" },
  ])("$text", ({ text, url = text, ...address }) => {
    expect(parseS3Url(text)).toEqual({ ok: true, value: { ...address, url } })
    expect(parseS3Url(url), "the normal form parses to itself").toEqual({
      ok: true,
      value: { ...address, url },
    })
  })
})

describe("is refused, and the error says why", () => {
  const how = "write s3://bucket/prefix?endpoint=https://host&region=name"
  test.each([
    ["s3:notes", "this is not the URL of a bucket"],
    ["https://notes", "this is not the URL of a bucket"],
    ["s3://notes#x", "this is not the URL of a bucket"],
    ["s3://", '"" is not the name of a bucket'],
    ["s3://a", '"a" is not the name of a bucket'],
    ["s3://no tes", '"no tes" is not the name of a bucket'],
    ["s3://notes/a//b", "the prefix has an empty or a dot segment"],
    ["s3://notes/../b", "the prefix has an empty or a dot segment"],
    ["s3://notes/a/%2E", "the prefix has an empty or a dot segment"],
    ["s3://notes/%zz", "the prefix is not percent-encoded as a URL must be"],
    ["s3://notes/%ED%A0%80", "the prefix is not percent-encoded as a URL must be"],
    ["s3://notes/a%00b", "the prefix has a control character"],
    ["s3://notes/\ud800", "the prefix has a control character"],
    ["s3://notes?endpoint=s3.example.com", "the endpoint must be a whole URL, such as https://host"],
    ["s3://notes?endpoint=localhost:9000", "the endpoint must begin with https://"],
    ["s3://notes?endpoint=", "the endpoint must be a whole URL, such as https://host"],
    ["s3://notes?endpoint=ftp://example.com", "the endpoint must begin with https://"],
    ["s3://notes?endpoint=https://h.example.com?x=1", "the endpoint must not have parameters"],
    ["s3://notes?region=", "the region is not a name"],
    ["s3://notes?region=a b", "the region is not a name"],
    ["s3://notes?region=a&region=b", "the URL says its region twice"],
    ["s3://notes?profile=me", 'the URL of a bucket has no "profile"'],
  ])("%j", (text, why) => {
    expect(parseS3Url(text)).toEqual({ ok: false, error: `${why}: ${how}` })
  })

  test.each([
    "http://s3.example.com",
    "http://127.0.0.1.example.com",
    "http://10.0.0.1",
    "http://0.0.0.0",
    "http://localhost.example.com",
    "http://[::2]",
  ])("%s, for it has no TLS and is not on this machine", (endpoint) => {
    expect(parseS3Url(`s3://notes?endpoint=${endpoint}`)).toEqual({
      ok: false,
      error: "an endpoint that is not on this machine must begin with https://",
    })
  })
})

describe("a key pair in the URL is refused and not repeated", () => {
  test.each([
    "s3://KEYID:SECRET@notes/x",
    "s3://KEYID:SECRET/notes",
    "s3://SECRET@notes",
    "s3://notes?endpoint=https://KEYID:SECRET@h.example.com",
    "s3://notes?endpoint=https://SECRET@h.example.com",
    "s3://notes?endpoint=KEYID:SECRET@h.example.com",
    "s3://notes?secret_access_key=SECRET",
    "s3://notes?endpoint=https://h.example.com&access_key_id=SECRET",
  ])("%s", (text) => {
    const parsed = parseS3Url(text)
    expect(parsed.ok).toBe(false)
    expect(JSON.stringify(parsed)).not.toMatch(/SECRET|KEYID/)
  })
})

test.each([
  ["127.0.0.1", true],
  ["localhost", true],
  ["[::1]", true],
  ["127.0.0.1.example.com", false],
  ["[::ffff:10.0.0.1]", false],
])("%s is on this machine: %s", (hostname, expected) => {
  expect(isLoopback(hostname)).toBe(expected)
})
