/**
 * The network and the server misbehave during a run of the real command: nothing is lost, nobody gets a conflict that
 * is none, the run says what happened, and the next run after it ends as if nothing had been.
 */

import { rmSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import type { Fault } from "../servers/proxy.ts"
import { ended, notesIn, put, type Ran } from "./bm.ts"
import {
  expectEqual,
  expectSynced,
  newS3World,
  on,
  type S3Device,
  type S3World,
  TEST_MS_MAX,
} from "./s3-world.ts"

interface Story {
  readonly rule: string
  readonly faults: readonly Fault[]
  /** Of the run that is disturbed; 0 where it gets over it. */
  readonly exit: number
  readonly says: RegExp
  /** Only under SOAK=1: it takes the product's full patience, half a minute for silence and more for a busy server. */
  readonly isSlow?: true
}

const NOTES = { match: ({ isOwn, kind }: { isOwn: boolean; kind: string }) => !isOwn && kind !== "LIST" }
const EVERYTHING = { match: () => true }

const STORIES: readonly Story[] = [
  {
    rule: "recognises its own writes whose answers were lost",
    faults: [{ act: "lose_response", times: 2, ...on("PUT") }],
    exit: 0,
    says: /Sync completed/,
  },
  {
    rule: "recognises its own entry in the epoch whose answer was lost",
    faults: [{ act: "lose_response", times: 1, ...on("PUT", { isOwn: true }) }],
    exit: 0,
    says: /Sync completed/,
  },
  {
    rule: "looks whether a delete took place whose answer was lost",
    faults: [{ act: "lose_response", times: 1, ...on("DELETE") }],
    exit: 0,
    says: /Sync completed/,
  },
  {
    rule: "waits for a server that is too busy for a while",
    faults: [{ act: "503", times: 12, ...EVERYTHING }],
    exit: 0,
    says: /Sync completed/,
  },
  {
    rule: "says so where the server stays too busy to list",
    faults: [{ act: "503", ...EVERYTHING }],
    exit: 1,
    says: /too busy to answer/,
    isSlow: true,
  },
  {
    rule: "says so where the server stays too busy for notes",
    faults: [{ act: "503", ...NOTES }],
    exit: 1,
    says: /edit\.md .*the storage is too busy/,
    isSlow: true,
  },
  {
    rule: "sends again what was cut on its way there",
    faults: [{ act: "cut_body", times: 2, ...on("PUT") }],
    exit: 0,
    says: /Sync completed/,
  },
  {
    rule: "reads again what was cut on its way here",
    faults: [{ act: "cut_body", times: 1, ...on("GET") }],
    exit: 0,
    says: /Sync completed/,
  },
  {
    rule: "writes no half of a note where every read is cut",
    faults: [{ act: "cut_body", ...on("GET") }],
    exit: 1,
    says: /not done .*far\.md .*it cannot be reached/,
  },
  {
    rule: "decides nothing on a listing that is cut",
    faults: [{ act: "cut_body", ...on("LIST") }],
    exit: 1,
    says: /Cannot reach the cloud/,
  },
  {
    rule: "decides nothing on a listing that never ends",
    faults: [{ act: "repeat_token", ...on("LIST") }],
    exit: 1,
    says: /repeats itself|does not end/,
  },
  {
    rule: "takes a page of a captive portal for no listing",
    faults: [{ act: "html", ...EVERYTHING }],
    exit: 1,
    says: /not an S3 server|a page instead of an answer/,
  },
  {
    rule: "takes a page of a captive portal for no note and no answer to a write",
    faults: [{ act: "html", ...NOTES }],
    exit: 1,
    says: /not done .*edit\.md .*(it cannot be reached|no such server)/,
  },
  {
    rule: "says so where nobody answers",
    faults: [{ act: "refuse", ...EVERYTHING }],
    exit: 1,
    says: /Cannot reach the cloud/,
  },
  {
    rule: "says of each note where the connection went away in the middle of a run",
    faults: [{ act: "refuse", ...NOTES }],
    exit: 1,
    says: /not done .*edit\.md .*it cannot be reached/,
  },
  {
    rule: "gives a silent connection up and asks again",
    faults: [
      { act: "stall", times: 1, ...on("GET") },
      { act: "stall", times: 1, ...on("PUT") },
    ],
    exit: 0,
    says: /Sync completed/,
    isSlow: true,
  },
]

describeServer("versitygw", (server) => {
  let world: S3World
  let here: S3Device
  let there: S3Device
  /** What everybody must hold once a story has ended. */
  const truth: Record<string, string> = {}
  let number = 0

  beforeAll(async () => {
    world = await newS3World(server())
    here = world.device("here")
    there = world.device("there")
    await here.setUp()
    await there.setUp()
  }, TEST_MS_MAX)
  afterAll(() => world.stop(), TEST_MS_MAX)
  beforeEach(() => {
    world.proxy.faults.length = 0
  })

  for (const { rule, faults, exit, says, isSlow } of STORIES)
    test.skipIf(isSlow === true && process.env["SOAK"] === undefined)(
      rule,
      async () => {
        const at = `story-${number++}`
        await begin(at)
        for (const fault of faults) world.proxy.faults.push(fault)
        // No limit of ours: how long it takes is the product's patience, and the test's own limit ends it.
        const ran = await ended(here.start({}, "cloud", "bisync"))
        const befallen = world.proxy.requests.flatMap(({ faults: acts }) => acts)
        expect(new Set(befallen)).toEqual(new Set(faults.map(({ act }) => act)))
        expectSays(ran, { exit, says })
        expectKept()
        world.proxy.faults.length = 0
        if (exit !== 0) await expectSynced(here)
        await expectSynced(there)
        await expectEqual(world, [here, there], truth)
      },
      TEST_MS_MAX,
    )

  /** Notes that all know; then changes on both sides, of which one is in the bucket already. */
  async function begin(at: string): Promise<void> {
    for (const name of ["edit", "gone", "far"]) put(here.dir, `${at}/${name}.md`, `${at} ${name}\n`)
    await expectSynced(here)
    await expectSynced(there)
    const edited = { [`${at}/edit.md`]: `${at} edited\n`, [`${at}/new.md`]: `${at} new\n` }
    for (const [path, text] of Object.entries(edited)) put(here.dir, path, text)
    rmSync(join(here.dir, `${at}/gone.md`))
    const far = { [`${at}/far.md`]: `${at} far, edited there ${"x".repeat(50_000)}\n` }
    for (const [path, text] of Object.entries(far)) put(there.dir, path, text)
    await expectSynced(there)
    Object.assign(truth, edited, far)
    world.proxy.reset()
  }

  /** Every version that counts is whole in a folder or in the bucket, and nobody made another. */
  function expectKept(): void {
    const devices = [here, there].flatMap(({ dir }) => [...notesIn(dir)])
    const all = [...devices, ...world.notes()]
    const texts = new Set(all.map(([, text]) => text))
    for (const [path, text] of Object.entries(truth)) expect(texts.has(text), path).toBe(true)
    expect(all.map(([path]) => path).filter((path) => path.includes("conflict"))).toEqual([])
  }
})

function expectSays(ran: Ran, { exit, says }: { readonly exit: number; readonly says: RegExp }): void {
  expect(ran, ran.out + ran.err).toMatchObject({ exit })
  expect(ran.out + ran.err).toMatch(says)
}
