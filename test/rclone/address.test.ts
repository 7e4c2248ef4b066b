/** URLs of rclone remotes: a name of rclone.conf and a path, and nothing that rclone would evaluate. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { parseRcloneUrl, type RcloneAddress } from "../../src/rclone/address.ts"
import { startChild } from "../../src/rclone/child.ts"
import { openRc } from "../../src/rclone/rc.ts"
import { lookUpRemote, type RcloneRemote } from "../../src/rclone/remote.ts"
import { must } from "../backend/bucket-storage.ts"
import { describeEachRclone } from "./real-rclone.ts"

const PLAIN = ["a", "my drive", "a-b", "a--b", "a-b-", "a.b_c", "9", "_x"]
/** The oldest rclone does not know them for names, and says so. */
const NEWER = ["é", "日本", "a+b", "a@b"]
const NAMES = [...PLAIN, ...NEWER]

describe("a remote", () => {
  test.each<readonly [string, string, string, string]>([
    ["rclone:a:", "a", "", "rclone:a:"],
    ["rclone:a:x", "a", "x", "rclone:a:x"],
    ["rclone:a:/srv/notes", "a", "/srv/notes", "rclone:a:/srv/notes"],
    ["rclone:a:/", "a", "/", "rclone:a:/"],
    ["rclone:a:x/", "a", "x", "rclone:a:x"],
    ["rclone:a://x//y//", "a", "/x/y", "rclone:a:/x/y"],
    ["rclone:a:x:y", "a", "x:y", "rclone:a:x:y"],
    ["rclone:a:x y", "a", "x y", "rclone:a:x y"],
    ["rclone:a:ノート/é", "a", "ノート/é", "rclone:a:ノート/é"],
    ["rclone:a:x..y/.z/...", "a", "x..y/.z/...", "rclone:a:x..y/.z/..."],
    ["rclone:a:x[y", "a", "x[y", "rclone:a:x[y"],
    ["rclone:a:x?y#z%41", "a", "x?y#z%41", "rclone:a:x?y#z%41"],
    ["rclone:a:x,y=z", "a", "x,y=z", "rclone:a:x,y=z"],
    ...NAMES.map((name) => [`rclone:${name}:x`, name, "x", `rclone:${name}:x`] as const),
  ])("is %j", (text, name, path, url) => {
    expect(parseRcloneUrl(text)).toEqual({ ok: true, value: { name, path, url } })
  })
})

describe("no remote", () => {
  test.each([
    ["a backend in place of a name", "rclone::local:/x"],
    ["a backend with settings", "rclone::webdav,bearer_token_command=id:"],
    ["settings in the name", "rclone:a,bearer_token_command=id:x"],
    ["settings in quotes", 'rclone:a,opt="x:y":z'],
    ["a leading dash", "rclone:-a:x"],
    ["a leading space", "rclone: a:x"],
    ["a trailing space", "rclone:a :x"],
    ["no colon", "rclone:a"],
    ["nothing", "rclone:"],
    ["a path in place of a name", "rclone:a/b:x"],
    ["a backslash", "rclone:a\\b:x"],
    ["a line end in the name", "rclone:a\n:x"],
    ["a line end before the name", "rclone:\na:x"],
    ["brackets, which rclone would take for the end of the name", "rclone:a:x]/etc"],
    ["brackets in the name", "rclone:a]b:x"],
    ["a NUL", "rclone:a:x\0y"],
    ["a line end in the path", "rclone:a:x\ny"],
    ["the directory above", "rclone:a:.."],
    ["a way up in the middle", "rclone:a:x/../y"],
    ["a way up at the end", "rclone:a:x/.."],
    ["a dot, which would be another name for the same", "rclone:a:./x"],
    ["a dot at the end", "rclone:a:x/."],
    ["another scheme", "RCLONE:a:x"],
    ["no scheme", "a:x"],
  ])("is %s", (_, text) => {
    const parsed = parseRcloneUrl(text)
    expect(parsed.ok).toBe(false)
    if (!parsed.ok) expect(parsed.error).toContain("is not a remote")
  })
})

describeEachRclone((rclone) => {
  test("has these names for remotes, and opens them at their paths", async () => {
    const directory = mkdtempSync(join(tmpdir(), "bm-address-"))
    const file = join(directory, "rclone.conf")
    writeFileSync(file, NAMES.map((name) => `[${name}]\ntype = memory\n\n`).join(""))
    const child = await must(
      startChild({ program: rclone.path, environment: { HOME: directory, RCLONE_CONFIG: file } }),
    )
    const rc = openRc(child)
    try {
      for (const name of rclone.name === "rclone-oldest" ? PLAIN : NAMES)
        for (const path of ["", "/", "x", "x y/é", "x[y", "x,y=z"]) {
          const { fs, isBucketBased } = await found(lookUpRemote(rc, addressOf(name, path)))
          expect(isBucketBased).toBe(true)
          await must(rc.call("operations/mkdir", { fs, remote: "" }, { withinMs: 10_000 }))
        }
      if (rclone.name !== "rclone-oldest") return
      for (const name of NEWER)
        expect(await lookUpRemote(rc, addressOf(name, "x"))).toMatchObject({
          error: { kind: "not_implemented", detail: "config name contains invalid characters" },
        })
    } finally {
      rc.close()
      child.stop()
      rmSync(directory, { recursive: true, force: true })
    }
  })
})

function addressOf(name: string, path: string): RcloneAddress {
  const address = parseRcloneUrl(`rclone:${name}:${path}`)
  if (!address.ok) throw new Error(address.error)
  return address.value
}

async function found(looked: ReturnType<typeof lookUpRemote>): Promise<RcloneRemote> {
  const remote = await looked
  if (!remote.ok) throw new Error(remote.error.kind)
  return remote.value
}
