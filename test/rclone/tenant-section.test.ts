/** The section of a tenant is the one that users were promised, and rclone reads it, beside all that was there. */

import { mkdtempSync, rmSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { changeConfFile } from "../../src/rclone/conf-file.ts"
import { parseConf, putSection, removeSection } from "../../src/rclone/conf.ts"
import { type TenantAccess, tenantRemote, tenantSection } from "../../src/rclone/tenant-section.ts"
import { describeEachRclone } from "./real-rclone.ts"

const ACCESS: TenantAccess = {
  tenantId: "11111111-2222-3333-4444-555555555555",
  accessKeyId: "tid_AbC",
  secretAccessKey: "tsec_a+/b==:#;[x]'\"",
  region: "auto",
  endpoint: "https://fly.storage.tigris.dev",
}
const NAME = `basic-memory-${ACCESS.tenantId}`

function textFor(access: TenantAccess): string {
  const section = tenantSection(access)
  const empty = parseConf(new Uint8Array())
  const put = section.ok && empty.ok ? putSection(empty.value, section.value) : undefined
  if (put?.ok !== true) throw new Error("refused")
  return new TextDecoder().decode(put.value)
}

test("the section is word for word what the documentation shows", () => {
  expect(
    textFor({ ...ACCESS, tenantId: "t-1", secretAccessKey: "***", region: "us-east-1" }),
  ).toBe(`[basic-memory-t-1]
type = s3
provider = AWS
env_auth = false
access_key_id = tid_AbC
secret_access_key = ***
region = us-east-1
endpoint = https://fly.storage.tigris.dev
`)
})

test.each(["a", "A_b-9", "-", "_", "a".repeat(128)])("%s can be the id of a tenant", (id) => {
  expect(tenantRemote(id)).toBe(`basic-memory-${id}`)
})

test.each(["", "a b", "a.b", "a:b", "a/b", "..", "a]\n[b", "a\n", "é", "a".repeat(129), "a,b=c"])(
  "%j cannot be the id of a tenant",
  (tenantId) => {
    expect(tenantRemote(tenantId)).toBeUndefined()
    expect(tenantSection({ ...ACCESS, tenantId })).toEqual({
      ok: false,
      error: { kind: "unusable", what: "tenantId" },
    })
  },
)

describe.each(["accessKeyId", "secretAccessKey", "region", "endpoint"] as const)("%s", (what) => {
  test.each(["", "x\ny = z", "x\r\n[evil]", "\r", " x", "x ", "`x", "%(endpoint)s", "x\0", "x\x1b[31m"])(
    "cannot be %j, which is not repeated",
    (value) => {
      expect(tenantSection({ ...ACCESS, [what]: value })).toEqual({
        ok: false,
        error: { kind: "unusable", what },
      })
    },
  )
})

describeEachRclone(({ run }) => {
  let root = ""
  let file = ""
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "bm-tenant-"))
    file = join(root, "rclone.conf")
  })
  afterEach(() => rmSync(root, { recursive: true }))

  const dump = (): Readonly<Record<string, unknown>> => JSON.parse(run(["--config", file, "config", "dump"]))
  const remotes = () => run(["--config", file, "listremotes"]).trim().split("\n").sort()

  function configure(access: TenantAccess): void {
    const section = tenantSection(access)
    if (!section.ok) throw new Error("refused")
    expect(changeConfFile(file, (conf) => putSection(conf, section.value)).ok).toBe(true)
  }

  const WANTED = {
    type: "s3",
    provider: "AWS",
    env_auth: "false",
    access_key_id: ACCESS.accessKeyId,
    secret_access_key: ACCESS.secretAccessKey,
    region: ACCESS.region,
    endpoint: ACCESS.endpoint,
  }

  test.each([
    ["none", undefined],
    ["an empty one", ""],
    ["the user's", '# mine\n[drive]\ntype = drive\ntoken = {"a":"b"}\n\n[nas]\ntype = local # x\n'],
    ["one without an end", "[nas]\ntype = local"],
    ["one of Windows", "\uFEFF; mine\r\n[nas]\r\ntype = local\r\n"],
    [
      "one with an older key",
      `[nas]\ntype = local\n[${NAME}]\ntype = s3\nold = 1\n\n# end\n[x]\ntype = memory\n`,
    ],
  ])("reads it in a file where there was %s, and all others as before", (_, text) => {
    if (text !== undefined) writeFileSync(file, text, { mode: 0o600 })
    const { [NAME]: _old, ...others } = text === undefined ? {} : dump()
    configure(ACCESS)
    expect(dump()).toEqual({ ...others, [NAME]: WANTED })
    expect(remotes()).toEqual([...Object.keys(others), NAME].map((name) => `${name}:`).sort())
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const once = readFileSync(file, "utf8")
    configure(ACCESS)
    expect(readFileSync(file, "utf8")).toBe(once)

    configure({ ...ACCESS, secretAccessKey: "another" })
    expect(dump()).toEqual({ ...others, [NAME]: { ...WANTED, secret_access_key: "another" } })
    expect(changeConfFile(file, (conf) => ({ ok: true, value: removeSection(conf, NAME) })).ok).toBe(true)
    expect(dump()).toEqual(others)
  })

  test("still reads it after rclone itself has written the file", () => {
    configure(ACCESS)
    run(["--config", file, "config", "create", "other", "memory"])
    expect(dump()).toEqual({ [NAME]: WANTED, other: { type: "memory" } })
    configure({ ...ACCESS, region: "eu" })
    expect(dump()).toEqual({ [NAME]: { ...WANTED, region: "eu" }, other: { type: "memory" } })
  })
})
