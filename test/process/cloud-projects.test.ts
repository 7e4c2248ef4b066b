/**
 * Directories as projects of the cloud, through the real command: each is registered once, whatever its name becomes, or it is
 * said once why it cannot be; its files sync in any case; and the cloud is asked to look at what changed, and at that only.
 */

import { mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { membersOf } from "../cloud/asked.ts"
import { describeServer } from "../servers/describe-server.ts"
import { notesIn, put } from "./bm.ts"
import { type AccountWorld, subscriber, succeeds, testWorld } from "./cloud-world.ts"
import { TEST_MS_MAX } from "./s3-world.ts"

const LONG = { timeout: TEST_MS_MAX }
const LIST = "GET /proxy/projects/projects"
const CREATE = "POST /proxy/projects/projects"
const NAMES = ["My Notes", "v1.0", "!!!", "日本語", "Same Name", "same_name"]

describeServer(
  "versitygw",
  (server) => {
    test(
      "a name that needs an address gets one, once; one that cannot have one is said, once",
      LONG,
      async () => {
        const world = await testWorld(server())
        const device = await subscriber(world, "one")
        for (const name of NAMES) put(device.dir, `${name}/a.md`, `${name}\n`)
        const first = await succeeds(device.bisync())
        expect(first.out.split("\n").slice(0, 5)).toEqual([
          "Found 4 new local projects, creating on cloud...",
          "✓ Created project: My Notes",
          "✓ Created project: Same Name",
          "✓ Created project: v1.0",
          "✓ Created project: 日本語",
        ])
        expect(first.err).toMatch(
          /^! !!! syncs, but is no project in the cloud: [^\n]+\n! same_name syncs, but [^\n]+\n$/,
        )
        expect(first.err).toContain("Same Name has the address same-name already")
        expect(created(world)).toEqual([
          ["My Notes", "my-notes"],
          ["Same Name", "same-name"],
          ["v1.0", "v1"],
          ["日本語", "日本語"],
        ])
        expect(Object.fromEntries(world.notes())).toEqual(
          Object.fromEntries(NAMES.map((name) => [`${name}/a.md`, `${name}\n`])),
        )
        const before = world.cloud.asked(LIST).length
        for (const name of NAMES) {
          put(device.dir, `${name}/b.md`, `${name}\n`)
          expect(await succeeds(device.bisync())).toMatchObject({
            out: "✓ Sync completed - 1 file uploaded\n",
            err: "",
          })
        }
        expect(world.cloud.asked(LIST)).toHaveLength(before)
        // What is new is asked about, and what was said before is not said again.
        put(device.dir, "another/a.md", "another\n")
        expect(await succeeds(device.bisync())).toMatchObject({ err: "" })
        await device.setUp()
        expect(created(world)).toHaveLength(5)
      },
    )

    test("a second device finds the projects of the first and creates none", LONG, async () => {
      const world = await testWorld(server())
      const one = await subscriber(world, "one")
      for (const name of NAMES) put(one.dir, `${name}/a.md`, `${name}\n`)
      await succeeds(one.bisync())
      const two = await subscriber(world, "two")
      expect((await succeeds(two.bisync())).err).toMatch(
        /^! !!! syncs, but [^\n]+\n! same_name syncs, but [^\n]+\n$/,
      )
      put(two.dir, "My Notes/of-two.md", "two\n")
      const before = world.cloud.requests.length
      await succeeds(two.bisync())
      expect(namesFrom(world, before)).toEqual(["POST /proxy/my-notes/project/sync"])
      expect(created(world)).toHaveLength(4)
      await succeeds(one.bisync())
      expect(notesIn(one.dir).get("My Notes/of-two.md")).toBe("two\n")
    })

    test("a project that the cloud has already is recognised by its name or by its path", LONG, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      world.cloud.addProject("My Notes", "my-notes")
      world.cloud.addProject("Garden", "garden")
      for (const name of ["My Notes", "garden"]) put(device.dir, `${name}/a.md`, "a\n")
      expect(await succeeds(device.bisync())).toMatchObject({
        out: "✓ Sync completed - 2 files uploaded\n",
        err: "",
      })
      expect(created(world)).toEqual([])
    })

    test("a project that was created by somebody else meanwhile is as good", LONG, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      world.cloud.addProject("notes", "notes")
      put(device.dir, "notes/a.md", "a\n")
      const stale = { projects: [], default_project: null }
      world.cloud.set({
        troubles: [{ match: isList, times: 1, act: "answer", status: 200, json: stale }],
      })
      expect((await succeeds(device.bisync())).err).toBe("")
      expect(world.cloud.asked(CREATE)).toMatchObject([{ status: 400 }])
      expect(await succeeds(device.bisync())).toMatchObject({ out: "✓ Sync completed\n", err: "" })
      expect(world.cloud.asked(CREATE)).toHaveLength(1)
    })

    test(
      "one project that the cloud refuses keeps none of the others, and is tried again",
      LONG,
      async () => {
        const world = await testWorld(server())
        const device = await subscriber(world, "one")
        for (const name of ["a", "bad", "c"]) put(device.dir, `${name}/a.md`, `${name}\n`)
        const json = { detail: "path is nested" }
        world.cloud.set({
          troubles: [
            { match: (asked) => membersOf(asked)?.["name"] === "bad", act: "answer", status: 400, json },
          ],
        })
        const first = await succeeds(device.bisync())
        expect(first.out).toContain(
          "✓ Created project: a\n✓ Created project: c\n✓ Sync completed - 3 files uploaded\n",
        )
        expect(first.err).toBe(
          "! bad is not registered in the cloud yet: The cloud refused the request (400) - path is nested; the next run tries again\n",
        )
        expect((await succeeds(device.bisync())).err).toBe(first.err)
        world.cloud.set({ troubles: [] })
        const before = world.cloud.requests.length
        expect(await succeeds(device.bisync())).toMatchObject({ err: "" })
        // Its files came before it, and it is looked at now.
        expect(namesFrom(world, before)).toEqual([LIST, CREATE, "POST /proxy/bad/project/sync"])
      },
    )

    test(
      "only what changed in the cloud is looked at, after the last of its files was sent",
      LONG,
      async () => {
        const world = await testWorld(server())
        const [one, two] = [await subscriber(world, "one"), await subscriber(world, "two")]
        for (const name of ["a", "b", "c", "d"]) put(one.dir, `${name}/note.md`, `${name}\n`)
        await succeeds(one.bisync())
        // The second time it finds out which projects these are.
        for (let again = 0; again < 2; again++) await succeeds(two.bisync())
        put(one.dir, "a/note.md", "edited\n")
        rmSync(join(one.dir, "b/note.md"))
        renameSync(join(one.dir, "c/note.md"), join(one.dir, "d/moved.md"))
        put(one.dir, "root.md", "of no project\n")
        const before = { asked: world.cloud.requests.length, stored: world.cloud.stored.length }
        await succeeds(one.bisync())
        expect(namesFrom(world, before.asked)).toEqual(
          ["a", "b", "c", "d"].map((name) => `POST /proxy/${name}/project/sync`),
        )
        const [first] = world.cloud.requests.slice(before.asked)
        const last = world.cloud.stored.findLast(({ kind, isOwn }) => !isOwn && !kind.startsWith("LIST"))
        expect(first?.order).toBeGreaterThan(last?.order ?? Number.POSITIVE_INFINITY)
        // Who only fetches has nothing to say to the cloud.
        const later = world.cloud.requests.length
        await succeeds(two.bisync())
        expect(namesFrom(world, later)).toEqual([])
      },
    )

    test("a directory that is renamed within its address stays the same project", LONG, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      put(device.dir, "My Notes/a.md", "a\n")
      await succeeds(device.bisync())
      renameSync(join(device.dir, "My Notes"), join(device.dir, "my_notes"))
      const before = world.cloud.requests.length
      expect((await succeeds(device.bisync())).err).toBe("")
      expect(namesFrom(world, before)).toEqual([LIST, "POST /proxy/my-notes/project/sync"])
      expect([...world.notes().keys()]).toEqual(["my_notes/a.md"])
    })

    test("what is hidden, ignored or behind a link is no project", LONG, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      for (const name of [".hidden", "node_modules", "real"]) put(device.dir, `${name}/a.md`, "a\n")
      mkdirSync(join(device.home, "outside"))
      symlinkSync(join(device.home, "outside"), join(device.dir, "linked"))
      await device.bisync()
      expect(created(world)).toEqual([["real", "real"]])
      expect([...world.notes().keys()]).toEqual(["real/a.md"])
    })

    test("with --project one is registered and synced, and the others wait", LONG, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      for (const name of ["one", "two", "!!!"]) put(device.dir, `${name}/a.md`, `${name}\n`)
      const dry = await succeeds(device.bisync("--project", "one", "--dry-run"))
      expect(dry.out).toContain("Found 1 new local project, it would be created on cloud: one\n")
      expect(await succeeds(device.run("sync", "--project", "one"))).toMatchObject({ err: "" })
      expect(created(world)).toEqual([["one", "one"]])
      expect([...world.notes().keys()]).toEqual(["one/a.md"])
      await succeeds(device.run("sync"))
      expect(created(world).map(([name]) => name)).toEqual(["one", "two"])
      expect(world.notes().size).toBe(3)
    })

    test("a dry run tells what it would create and creates nothing", LONG, async () => {
      const world = await testWorld(server())
      const device = await subscriber(world, "one")
      world.cloud.addProject("known", "known")
      for (const name of ["new-project", "known", "!!!"]) put(device.dir, `${name}/a.md`, "a\n")
      const { out } = await succeeds(device.bisync("--dry-run"))
      expect(out).toContain("Found 1 new local project, it would be created on cloud: new-project\n")
      const { out: json } = await succeeds(device.bisync("--dry-run", "--json"))
      expect(JSON.parse(json)).toMatchObject({ projects_to_create: ["new-project"] })
      put(device.dir, "second/a.md", "a\n")
      expect((await succeeds(device.run("sync", "--dry-run"))).out).toContain(
        "Found 2 new local projects, they would be created on cloud: new-project, second\n",
      )
      expect(created(world)).toEqual([])
      expect(world.notes().size).toBe(0)
      // A plan that was saved is done with all that belongs to it.
      await succeeds(device.bisync("--dry-run", "--out", "plan.json"))
      expect((await succeeds(device.bisync("--apply", "plan.json"))).out).toMatch(
        /^Found 2 new local projects, creating on cloud\.\.\.\n/,
      )
    })

    test(
      "a conversation goes on in the project that is meant, and else in the cloud's default one",
      LONG,
      async () => {
        const world = await testWorld(server())
        const device = await subscriber(world, "one")
        put(device.dir, "My Notes/a.md", "a\n")
        await succeeds(device.bisync())
        for (const project of ["My Notes", "my-notes"]) {
          const asked = ["--project", project, "--topic", "roses", "--timeframe", "7d"]
          const { out } = await succeeds(device.run("tools", "continue-conversation", ...asked))
          expect(out).toBe("# Continuing conversation on: roses\n\nProject: My Notes\n")
        }
        const { out } = await succeeds(device.run("tool", "continue-conversation"))
        expect(out).toBe("# Continuing conversation on: Recent Activity\n\nProject: main\n")
        const limits = { search_items_limit: 5, depth: 1, related_items_limit: 5 }
        const bodies = (name: string) => world.cloud.asked(name).map(({ body }) => JSON.parse(body))
        expect(bodies("POST /proxy/my-notes/prompt/continue-conversation")).toEqual([
          { topic: "roses", timeframe: "7d", ...limits },
          { topic: "roses", timeframe: "7d", ...limits },
        ])
        expect(bodies("POST /proxy/main/prompt/continue-conversation")).toEqual([limits])
      },
    )
  },
  { region: "auto" },
)

function isList({ method, path }: { readonly method: string; readonly path: string }): boolean {
  return `${method} ${path}` === LIST
}

/** Name and path of those that the cloud was asked to create, in this order. */
function created({ cloud }: AccountWorld) {
  return cloud.asked(CREATE).map((asked) => {
    const { name, path } = membersOf(asked) ?? {}
    return [name, path]
  })
}

function namesFrom({ cloud }: AccountWorld, from: number): readonly string[] {
  return cloud.requests.slice(from).map(({ method, path }) => `${method} ${decodeURIComponent(path)}`)
}
