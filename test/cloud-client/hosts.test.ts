/**
 * Secrets go to the hosts that are set, by TLS or not further than this machine.
 */

import { describe, expect, test } from "vitest"
import { cloudHosts, DEFAULT_HOSTS, type HostEnvironment, type HostSettings } from "../../src/cloud/hosts.ts"
import { parseSafeUrl, safeHref } from "../../src/cloud/safe-url.ts"

const all = {
  settings: { api_url: "https://c", cloud_host: "https://d" },
  environment: { BASIC_MEMORY_API_URL: "https://a", BASIC_MEMORY_CLOUD_HOST: "https://b" },
}

test.each<{ rule: string; settings: HostSettings; environment: HostEnvironment; apiUrl: string }>([
  { rule: "BASIC_MEMORY_API_URL goes before everything", ...all, apiUrl: "https://a" },
  {
    rule: "then BASIC_MEMORY_CLOUD_HOST",
    ...all,
    environment: { BASIC_MEMORY_CLOUD_HOST: "https://b" },
    apiUrl: "https://b",
  },
  { rule: "then api_url", ...all, environment: {}, apiUrl: "https://c" },
  { rule: "then cloud_host", settings: { cloud_host: "https://d" }, environment: {}, apiUrl: "https://d" },
  { rule: "then the service's own", settings: {}, environment: {}, apiUrl: "https://cloud.basicmemory.com" },
  {
    rule: "an empty one is as if it were not there",
    settings: { api_url: " ", cloud_host: "https://d" },
    environment: { BASIC_MEMORY_API_URL: "" },
    apiUrl: "https://d",
  },
  {
    rule: "slashes at the end go, a path stays",
    settings: { api_url: "https://Host.Example/api//" },
    environment: {},
    apiUrl: "https://host.example/api",
  },
  {
    rule: "this machine needs no TLS",
    settings: { api_url: "http://localhost:8000/" },
    environment: {},
    apiUrl: "http://localhost:8000",
  },
])("$rule", ({ settings, environment, apiUrl }) => {
  expect(cloudHosts(settings, environment)).toEqual({ ok: true, value: { ...DEFAULT_HOSTS, apiUrl } })
})

test("who logs in, and as which client, is a setting too", () => {
  const settings = { cloud_domain: "http://127.0.0.1:9000/", cloud_client_id: "client_x" }
  expect(cloudHosts(settings, {})).toEqual({
    ok: true,
    value: { ...DEFAULT_HOSTS, authUrl: "http://127.0.0.1:9000", clientId: "client_x" },
  })
})

test.each([
  ["cloud.example", "not_a_url"],
  ["http://cloud.example", "not_safe"],
  ["ftp://cloud.example", "not_safe"],
  ["file:///etc/passwd", "not_safe"],
  ["https://user:secret@cloud.example", "not_safe"],
  ["https://cloud.example\n", undefined],
  ["https://cloud\t.example", "not_safe"],
  ["https://cloud.example/?a=b", "has_parameters"],
  ["https://cloud.example/#a", "has_parameters"],
  ["https://cloud.example/?", "has_parameters"],
])("%j as a host is %s, and no other takes its place", (text, why) => {
  const hosts = cloudHosts({ api_url: "https://c", cloud_host: text }, { BASIC_MEMORY_API_URL: text })
  if (why === undefined) expect(hosts.ok).toBe(true)
  else expect(hosts).toEqual({ ok: false, error: { setting: "BASIC_MEMORY_API_URL", why } })
  const auth = cloudHosts({ cloud_domain: text }, {})
  if (why !== undefined) expect(auth).toEqual({ ok: false, error: { setting: "cloud_domain", why } })
})

test("a client's name is a word", () => {
  const error = { setting: "cloud_client_id", why: "not_a_name" }
  expect(cloudHosts({ cloud_client_id: "a&b=c" }, {})).toEqual({ ok: false, error })
})

describe("a URL is safe to show, to open and to ask", () => {
  test.each([
    ["https://example.com/subscribe?a=b#c", "https://example.com/subscribe?a=b#c"],
    ["HTTPS://EXAMPLE.com", "https://example.com/"],
    ["https://exämple.com/ü", "https://xn--exmple-cua.com/%C3%BC"],
    ["http://localhost/x", "http://localhost/x"],
    ["http://127.0.0.1:80/x", "http://127.0.0.1/x"],
    ["http://[::1]:8000/x", "http://[::1]:8000/x"],
  ])("%j, shown in ASCII", (text, href) => {
    expect(safeHref(text)).toBe(href)
  })

  test.each([
    "http://example.com",
    "http://localhost.example.com",
    "http://127.0.0.1.example.com",
    "http://128.0.0.1",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "https://good.example@evil.example/",
    "https://:x@evil.example/",
    "https://example.com/\u001b[31m",
    "https://example.com/\u009b31m",
    "https://example.com/a\nb",
    "https://example.com/\u202egnp",
    "https://example.com/\u200b",
    "https://example.com/\ud800",
    " https://example.com/",
    "https://example.com/a b",
    "--help",
    "",
    "https://",
    `https://example.com/${"a".repeat(3000)}`,
    null,
    7,
  ])("%j is not", (text) => {
    expect(parseSafeUrl(text)).toBeUndefined()
  })
})
