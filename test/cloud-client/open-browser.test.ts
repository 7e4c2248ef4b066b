/**
 * A page is opened by a program with the URI as one argument, or not at all.
 */

import { chmodSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { browserCommand, openBrowser } from "../../src/cloud/open-browser.ts"

/** Everything that a shell would act upon. */
const URI = "https://login.example/activate?code=A&b=$(id)`id`;%22'|x"
const HREF = new URL(URI).href

test.each([
  [{ platform: "linux" }, { command: "xdg-open", args: [HREF] }],
  [{ platform: "freebsd" }, { command: "xdg-open", args: [HREF] }],
  [{ platform: "darwin" }, { command: "/usr/bin/open", args: [HREF] }],
  [
    { platform: "win32" },
    { command: "C:\\Windows\\System32\\rundll32.exe", args: ["url.dll,FileProtocolHandler", HREF] },
  ],
  [
    { platform: "win32", windowsRoot: "D:\\WinNT" },
    { command: "D:\\WinNT\\System32\\rundll32.exe", args: ["url.dll,FileProtocolHandler", HREF] },
  ],
] as const)("on %j it is one program and one argument", (desktop, command) => {
  expect(browserCommand(desktop, URI)).toEqual(command)
})

test.each([
  "http://evil.example",
  "file:///bin/sh",
  "javascript:x",
  "--help",
  "https://a\n",
  "https://a@b/",
  "",
])("%j is not opened", (uri) => {
  for (const platform of ["linux", "darwin", "win32"] as const) {
    expect(browserCommand({ platform }, uri)).toBeUndefined()
    expect(openBrowser({ platform }, uri)).toBe(false)
  }
})

test.skipIf(process.platform === "win32")(
  "the program gets the URI as it is, and nothing else is run",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "bm-browser-"))
    const told = join(directory, "told")
    const path = process.env["PATH"]
    writeFileSync(
      join(directory, "xdg-open"),
      `#!/bin/sh\nprintf '%s\\n' "$#" "$@" >'${told}.part'\nmv '${told}.part' '${told}'\n`,
    )
    chmodSync(join(directory, "xdg-open"), 0o700)
    const isTold = new Promise<void>((resolve) => {
      const watcher = watch(directory, (_, name) => {
        if (name !== "told") return
        watcher.close()
        resolve()
      })
    })
    process.env["PATH"] = `${directory}:${path}`
    expect(openBrowser({ platform: "linux" }, URI)).toBe(true)
    process.env["PATH"] = path
    await isTold
    expect(readFileSync(told, "utf8")).toBe(`1\n${HREF}\n`)
    rmSync(directory, { recursive: true })
  },
)

test("that there is no such program is no failure", async () => {
  const path = process.env["PATH"]
  process.env["PATH"] = "/nowhere"
  expect(openBrowser({ platform: "linux" }, URI)).toBe(true)
  process.env["PATH"] = path
  // The error of the spawn comes by now, and ends nothing.
  await new Promise((resolve) => setImmediate(resolve))
})
