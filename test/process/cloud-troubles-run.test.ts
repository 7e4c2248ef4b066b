/**
 * Everything that the service may answer instead, around a run: the notes sync all the same, the exit code is that of the
 * run, what could not be done for the projects is said with the way out, and the next run makes up for it.
 */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import { put, type Ran } from "./bm.ts"
import { EACH_TROUBLE, HANGING, heal, type ServiceTrouble } from "./cloud-trouble-table.ts"
import {
  type AccountDevice,
  type AccountWorld,
  newAccountWorld,
  subscriber,
  succeeds,
  testWorld,
} from "./cloud-world.ts"
import { TEST_MS_MAX } from "./s3-world.ts"

const LONG = { timeout: TEST_MS_MAX }
const PROJECTS = "POST /proxy/projects/projects"
const RUNS = [["cloud", "bisync"], ["sync"]] as const

describeServer(
  "versitygw",
  (server) => {
    describe("where the service answers with", () => {
      let world: AccountWorld
      let device: AccountDevice
      let edits = 0

      beforeAll(async () => {
        world = await newAccountWorld(server())
        device = await subscriber(world, "one")
        put(device.dir, "known/a.md", "first\n")
        await succeeds(device.bisync())
        put(device.dir, "fresh/b.md", "new\n")
      }, TEST_MS_MAX)
      afterAll(() => world.stop(), TEST_MS_MAX)

      const seen = EACH_TROUBLE.filter(([, { isSeenWhereRead = false }]) => !isSeenWhereRead)
      test.each(seen)("%s, the notes sync and the remark says why", LONG, async (_, row) => {
        heal(world.cloud)
        row.befall(world.cloud)
        const before = remembered(device)
        for (const args of RUNS) {
          const ran = await edit(args)
          expect(ran).toMatchObject({ exit: 0, out: expect.stringMatching(/^✓ Sync completed - /) })
          expectRemarks(ran, row)
        }
        expectEvents(await edit(["cloud", "bisync", "--json"]), row)
        expect(world.notes().get("fresh/b.md")).toBe("new\n")
        expect(world.notes().get("known/a.md")).toBe(`edit ${edits}\n`)
        expect(remembered(device)).toEqual(before)
        expect(world.cloud.elsewhere.requests).toEqual([])
      })

      test("an error, a dry run tells what it would create all the same", LONG, async () => {
        world.cloud.set({ troubles: [{ act: "answer", status: 503, json: {} }] })
        const { out } = await succeeds(device.bisync("--dry-run"))
        expect(out).toContain("Found 1 new local project, it would be created on cloud: fresh\n")
      })

      test("what it usually does, the project is created, and both are looked at, once", LONG, async () => {
        heal(world.cloud)
        const before = world.cloud.requests.length
        const { out, err } = await succeeds(device.bisync())
        expect(out).toBe(
          "Found 1 new local project, creating on cloud...\n✓ Created project: fresh\n✓ Sync completed\n",
        )
        expect(err).toBe("")
        await succeeds(device.bisync())
        const asked = world.cloud.requests.slice(before).map(({ method, path }) => `${method} ${path}`)
        expect(asked).toEqual([
          "GET /proxy/projects/projects",
          PROJECTS,
          "POST /proxy/fresh/project/sync",
          "POST /proxy/known/project/sync",
        ])
      })

      async function edit(args: readonly string[]): Promise<Ran> {
        edits++
        put(device.dir, "known/a.md", `edit ${edits}\n`)
        return device.run(...args)
      }
    })

    test("waits for nobody longer than half a minute, before the notes and after them", LONG, async () => {
      const named = ["a", "b", "c"]
      const waiting = async (row: ServiceTrouble, isRegistered: boolean) => {
        const world = await testWorld(server())
        const device = await subscriber(world, "one")
        for (const name of named) put(device.dir, `${name}/a.md`, "first\n")
        if (isRegistered) {
          await succeeds(device.bisync())
          for (const name of named) put(device.dir, `${name}/a.md`, "second\n")
        }
        row.befall(world.cloud)
        const before = world.cloud.requests.length
        const ran = await device.runLong("cloud", "bisync")
        expect(ran).toMatchObject({ exit: 0, out: "✓ Sync completed - 3 files uploaded\n" })
        const [said] = ran.err.split("\n")
        expect(said).toMatch(
          isRegistered
            ? /^! a, b, c are synced, and the cloud could not be asked to look: .+; the next run tries again$/
            : /^! a, b, c are not registered in the cloud yet: .+; the next run tries again$/,
        )
        expect(said).toMatch(row.says)
        // One of them was asked for, and the others did not wait as long again.
        expect(world.cloud.requests.slice(before)).toHaveLength(1)
      }
      await Promise.all(HANGING.flatMap((row) => [waiting(row, false), waiting(row, true)]))
    })
  },
  { region: "auto" },
)

/** In text, on standard error. */
function expectRemarks({ err }: Ran, { says, wayOut }: ServiceTrouble): void {
  const [registered = "", indexed = "", ...others] = err.trimEnd().split("\n")
  expect(others).toEqual([])
  expect(registered).toMatch(/^! fresh is not registered in the cloud yet: .+; the next run tries again$/)
  expect(indexed).toMatch(
    /^! known is synced, and the cloud could not be asked to look: .+; the next run tries/,
  )
  for (const line of [registered, indexed]) {
    expect(line).toMatch(says)
    expect(line).toMatch(wayOut)
  }
}

function expectEvents({ exit, out, err }: Ran, { says, wayOut, code }: ServiceTrouble): void {
  expect({ exit, err }).toEqual({ exit: 0, err: "" })
  const events = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
  expect(events.at(-1)).toMatchObject({ type: "run.finished", ok: true, exit: 0, uploaded: 1 })
  const told = events.filter(({ type }) => String(type).startsWith("project."))
  expect(told).toMatchObject([
    { type: "project.not_registered", directories: ["fresh"], code },
    { type: "project.not_indexed", projects: ["known"], code },
  ])
  for (const { message, fix } of told) {
    expect(message).toMatch(says)
    expect(JSON.stringify(fix)).toMatch(wayOut)
  }
}

/** The login, the settings, and what is known of the projects. */
function remembered(device: AccountDevice): readonly string[] {
  const { tokens, config, credentials } = device.files
  const files = [tokens, config, credentials, join(device.state(), "projects.json")]
  return files.map((file) => readFileSync(file, "utf8"))
}
