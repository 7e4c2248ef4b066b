/** rclone.conf lies where rclone itself would look for it. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { confPath } from "../../src/rclone/conf-place.ts"
import { describeEachRclone } from "./real-rclone.ts"

let root = ""
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bm-conf-place-"))
})
afterEach(() => rmSync(root, { recursive: true }))

describe("the place", () => {
  interface Place {
    readonly rule: string
    readonly environment: Readonly<Record<string, string>>
    readonly there: readonly string[]
    readonly place: string | undefined
  }

  /** `~` is the home, `/` the current directory, both below the root of the test. */
  const PLACES: readonly Place[] = [
    { rule: "the usual one", environment: {}, there: [], place: "~/.config/rclone/rclone.conf" },
    { rule: "the old one, where it is", environment: {}, there: ["~/.rclone.conf"], place: "~/.rclone.conf" },
    {
      rule: "the usual one, where both are",
      environment: {},
      there: ["~/.rclone.conf", "~/.config/rclone/rclone.conf"],
      place: "~/.config/rclone/rclone.conf",
    },
    {
      rule: "a new one where XDG says",
      environment: { XDG_CONFIG_HOME: "~/xdg" },
      there: [],
      place: "~/xdg/rclone/rclone.conf",
    },
    {
      rule: "the usual one, where XDG's is not",
      environment: { XDG_CONFIG_HOME: "~/xdg" },
      there: ["~/.config/rclone/rclone.conf"],
      place: "~/.config/rclone/rclone.conf",
    },
    {
      rule: "the old one, where XDG's is not",
      environment: { XDG_CONFIG_HOME: "~/xdg" },
      there: ["~/.rclone.conf"],
      place: "~/.rclone.conf",
    },
    {
      rule: "the one of an empty XDG",
      environment: { XDG_CONFIG_HOME: "" },
      there: [],
      place: "~/.config/rclone/rclone.conf",
    },
    {
      rule: "the one that is named, there or not",
      environment: { RCLONE_CONFIG: "~/named.conf", XDG_CONFIG_HOME: "~/xdg" },
      there: ["~/xdg/rclone/rclone.conf", "~/.rclone.conf"],
      place: "~/named.conf",
    },
    { rule: "a relative one from here", environment: { RCLONE_CONFIG: "b/c" }, there: [], place: "/b/c" },
    { rule: "none for an empty name", environment: { RCLONE_CONFIG: "" }, there: [], place: undefined },
    { rule: "none for notfound", environment: { RCLONE_CONFIG: "notfound" }, there: [], place: undefined },
    { rule: "none for /dev/null", environment: { RCLONE_CONFIG: "/dev/null" }, there: [], place: undefined },
  ]
  const at = (name: string) => (name === "/dev/null" ? name : name.replace(/^~|^(?=\/)/, join(root, "home")))

  function prepare({ environment, there }: Place): Readonly<Record<string, string>> {
    mkdirSync(join(root, "home"), { recursive: true })
    for (const file of there.map(at)) {
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, "")
    }
    return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, at(value)]))
  }

  test.each(PLACES)("is $rule", (row) => {
    const home = join(root, "home")
    const environment = prepare(row)
    const there = new Set(row.there.map(at))
    const isThere = (path: string) => there.has(path)
    const found = confPath({ platform: "linux", environment, home, cwd: home, isThere })
    expect(found).toBe(row.place === undefined ? undefined : at(row.place))
  })

  describeEachRclone(({ run }) => {
    test.each(PLACES.filter(({ place }) => place !== "/b/c"))("is $rule, for rclone too", (row) => {
      const said = run(["config", "file"], { HOME: join(root, "home"), ...prepare(row) })
      expect(said).toContain(row.place === undefined ? "in memory only" : `\n${at(row.place)}\n`)
    })
  })

  test.each([
    { rule: "APPDATA's", there: [], place: "/roaming/rclone/rclone.conf" },
    { rule: "XDG's, where it is", there: ["/xdg/rclone/rclone.conf"], place: "/xdg/rclone/rclone.conf" },
    {
      rule: "the home's, where it is",
      there: ["/home/.config/rclone/rclone.conf"],
      place: "/home/.config/rclone/rclone.conf",
    },
    {
      rule: "APPDATA's, where all are",
      there: ["/xdg/rclone/rclone.conf", "/roaming/rclone/rclone.conf"],
      place: "/roaming/rclone/rclone.conf",
    },
    { rule: "the one beside rclone, where it is", there: ["/bin/rclone.conf"], place: "/bin/rclone.conf" },
  ])("on Windows is $rule", ({ there, place }) => {
    const environment = { APPDATA: "/roaming", XDG_CONFIG_HOME: "/xdg" }
    const isThere = (path: string) => there.includes(path)
    const about = { platform: "win32", environment, home: "/home", cwd: "/", program: "/bin/rclone" } as const
    expect(confPath({ ...about, isThere })).toBe(place)
  })

  test("on Windows is the home's, and never XDG's, for a new file without APPDATA", () => {
    const environment = { XDG_CONFIG_HOME: "/xdg" }
    const about = { platform: "win32", environment, home: "/home", cwd: "/" } as const
    expect(confPath({ ...about, isThere: () => false })).toBe("/home/.config/rclone/rclone.conf")
  })
})
