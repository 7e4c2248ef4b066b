/**
 * The bucket of an account, as the real command treats it: every request asks for what was written last, as no request to any
 * other remote does; and directories at its root that begin with a dot belong to the service here, and to others there.
 */

import { rmSync } from "node:fs"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import { expectSettled, notesIn, put } from "./bm.ts"
import { type AccountWorld, loggedIn, subscriber, succeeds, testWorld, treeOf } from "./cloud-world.ts"
import { describeRclone, newRcloneS3World } from "./rclone-world.ts"
import { newS3World, TEST_MS_MAX } from "./s3-world.ts"

const LONG = { timeout: TEST_MS_MAX }
const CONSISTENT = "x-tigris-consistent"

describeServer(
  "versitygw",
  (server) => {
    way("natively", ["--backend", "native"], undefined)
    describeRclone((rclone) => {
      way("by way of rclone", ["--backend", "rclone"], rclone)

      test("no other remote is asked for it, natively or by way of rclone", LONG, async () => {
        const world = await newRcloneS3World(server(), rclone)
        onTestFinished(() => world.stop(), TEST_MS_MAX)
        const [native, by] = [world.device("native"), world.rcloneDevice("rclone")]
        await native.setUp()
        put(native.dir, "a.md", "a\n")
        await succeeds(native.bisync())
        await by.setUp()
        expect(world.proxy.requests.length).toBeGreaterThan(10)
        expect(world.proxy.requests.filter(({ headers }) => CONSISTENT in headers)).toEqual([])
      })
    })

    test(
      "a device of an account that goes over to another bucket stops asking for it there",
      LONG,
      async () => {
        const world = await testWorld(server())
        const device = await subscriber(world, "one")
        const other = await newS3World(server())
        onTestFinished(() => other.stop(), TEST_MS_MAX)
        const env = { ...other.keys }
        await succeeds(device.runWith(env, "cloud", "bisync-setup", "--remote", other.url))
        put(device.dir, "notes/a.md", "a\n")
        const before = world.cloud.requests.length
        await succeeds(device.runWith(env, "cloud", "bisync"))
        expect(other.proxy.requests.length).toBeGreaterThan(0)
        expect(other.proxy.requests.filter(({ headers }) => CONSISTENT in headers)).toEqual([])
        // It has no projects either.
        expect(world.cloud.requests.slice(before)).toEqual([])
      },
    )

    function way(name: string, setUp: readonly string[], rclone: string | undefined): void {
      test(`every request asks for what was written last, ${name}`, LONG, async () => {
        const world = await testWorld(server())
        const [one, two] = [
          await subscriber(world, "one", { rclone, setUp }),
          await subscriber(world, "two", { rclone, setUp }),
        ]
        for (const path of ["notes/a.md", "notes/b.md", "notes/c.md"]) put(one.dir, path, `${path}\n`)
        await succeeds(one.bisync())
        await succeeds(two.bisync())
        rmSync(join(two.dir, "notes/a.md"))
        put(two.dir, "notes/b.md", "edited\n")
        await succeeds(two.bisync())
        for (const args of [["bisync"], ["check"], ["undo", "--yes"], ["bisync", "--dry-run"]])
          await succeeds(one.run("cloud", ...args))
        await one.setUp()
        await succeeds(one.run("cloud", "bisync", "--resync", "--yes"))
        const kinds = new Set(world.cloud.stored.map(({ kind }) => kind))
        expect(kinds).toEqual(new Set([...kinds, "LIST", "GET", "PUT", "DELETE", "HEAD"]))
        expect(world.cloud.stored.filter(({ headers }) => headers[CONSISTENT] !== "true")).toEqual([])
      })

      test(`directories at the root that begin with a dot stay whose they are, ${name}`, LONG, async () => {
        const world = await testWorld(server())
        const ours = await occupy(world)
        const device = await loggedIn(world, "one", { rclone })
        put(device.dir, ".obsidian/app.json", "of the root\n")
        put(device.dir, ".trash/old.md", "old\n")
        put(device.dir, ".hidden.md", "a file at the root\n")
        put(device.dir, "vault/.obsidian/app.json", "of the vault\n")
        put(device.dir, "vault/.dot.md", "dot\n")
        await device.setUp(...setUp)
        const notes = {
          ".hidden.md": "a file at the root\n",
          ".seen.md": "from the cloud\n",
          "vault/.dot.md": "dot\n",
          "vault/.obsidian/app.json": "of the vault\n",
        }
        const root = { ".obsidian/app.json": "of the root\n", ".trash/old.md": "old\n" }
        expect(Object.fromEntries(world.notes())).toEqual(notes)
        expect(Object.fromEntries(notesIn(device.dir))).toEqual({ ...notes, ...root })
        // What is gone on one side of them is gone there alone, and an edit stays where it was made.
        rmSync(join(device.dir, ".trash"), { recursive: true })
        put(device.dir, ".obsidian/app.json", "edited\n")
        await world.putObject(".service/state.json", "changed\n")
        put(device.dir, "vault/.obsidian/app.json", "edited in the vault\n")
        expect((await succeeds(device.bisync())).out).toContain("✓ Sync completed - 1 file uploaded")
        await expectSettled(device)
        expect(treeOf(world.folder).get(".service/state.json")).toMatch(/changed\n$/)
        expect(treeOf(world.folder).get(".basic-memory/config.json")).toContain(ours)
        const there = await loggedIn(world, "two", { rclone })
        await there.setUp(...setUp)
        expect(Object.fromEntries(notesIn(there.dir))).toEqual({
          ...notes,
          "vault/.obsidian/app.json": "edited in the vault\n",
        })
        await succeeds(there.run("cloud", "bisync", "--resync", "--yes"))
        expect(treeOf(world.folder).get(".basic-memory/config.json")).toContain(ours)
      })
    }

    test("on any other remote a dot at the root means nothing", LONG, async () => {
      const other = await newS3World(server())
      onTestFinished(() => other.stop(), TEST_MS_MAX)
      const device = other.device("one")
      put(device.dir, ".obsidian/app.json", "{}\n")
      await device.setUp()
      expect(Object.fromEntries(other.notes())).toEqual({ ".obsidian/app.json": "{}\n" })
    })
  },
  { region: "auto" },
)

/** As the service does: its own directories, and a file at the root. */
async function occupy(world: AccountWorld): Promise<string> {
  const config = await world.cloud.writeConfig()
  await world.putObject(".service/state.json", "first\n")
  await world.putObject(".seen.md", "from the cloud\n")
  return config
}
