/**
 * One of the two processes of a run dies at once, in the middle of its uploads: bm or its rclone. The other one ends,
 * nothing is lost, and the next run finishes without waiting for anybody.
 */

import { readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { describeEachRclone } from "../rclone/real-rclone.ts"
import { describeServer } from "../servers/describe-server.ts"
import type { Fault } from "../servers/proxy.ts"
import { ended, notesIn, put } from "./bm.ts"
import { hasProc, isGone, processesNaming, rcloneIn, until } from "./processes.ts"
import { newRcloneS3World, type RcloneDevice, type RcloneS3World } from "./rclone-world.ts"
import { expectEqual, expectSynced, on, TEST_MS_MAX } from "./s3-world.ts"

interface At {
  readonly match: Fault["match"]
  /** The first of those that match is 1. */
  readonly number: number
}

interface Death {
  readonly rule: string
  /** The request in which rclone dies. */
  readonly at: At
  readonly args: readonly string[]
  readonly says: RegExp
}

const DEATHS: readonly Death[] = [
  {
    rule: "changes nothing where rclone is killed while it lists",
    at: { ...on("LIST"), number: 1 },
    args: ["--json"],
    says: /"message":"[^"]*rclone ended.*"changed":false/,
  },
  {
    rule: "changes nothing where rclone is killed while the lease is taken",
    at: { ...on("PUT", { isOwn: true }), number: 1 },
    args: ["--json"],
    says: /"message":"[^"]*rclone.*"changed":false/,
  },
  {
    rule: "says that something may have changed where rclone is killed while it uploads",
    at: { ...on("PUT"), number: 3 },
    args: ["--json"],
    says: /"message":"[^"]*by way of rclone.*"why":"the run broke off in the middle.*"changed":true/,
  },
  {
    rule: "says in plain words that rclone ended, and what to do",
    at: { ...on("LIST"), number: 1 },
    args: [],
    says: /^Error: Cannot reach the cloud by way of rclone \(rclone ended\)[^]*Fix .*run it again: nothing is lost/,
  },
]

describe.skipIf(!hasProc)("a process dies", () => {
  describeEachRclone((rclone) =>
    describeServer("versitygw", (server) => {
      test(
        "leaves no rclone behind when bm is killed, and the next run finishes at once",
        async () => {
          const { world, here, there, truth } = await begin(await newRcloneS3World(server(), rclone.path))
          const held = holdRequest(world, { ...on("PUT"), number: 3 })
          const running = here.start({}, "cloud", "bisync")
          const done = ended(running)
          await held.reached
          const started = processesNaming(here.bin)
          const child = rcloneIn(here.bin)
          expect(started).toContain(child)
          running.kill("SIGKILL")
          expect(await done).toMatchObject({ signal: "SIGKILL" })
          await until(() => started.every(isGone))
          expect(processesNaming(here.bin)).toEqual([])
          held.letGo()

          expect(flagsIn(world)).toHaveLength(1)
          expectKept(world, [here, there], truth)
          const again = await expectSynced(here)
          expect(again.err).not.toMatch(/[Ww]ait/)
          await expectEqual(world, [here], truth)
          // Others wait for what the dead one may still have on its way; only its own flag is no hindrance to it.
          await expectSynced(there)
          await expectEqual(world, [there], truth)
        },
        TEST_MS_MAX,
      )

      for (const { rule, at, args, says } of DEATHS)
        test(
          rule,
          async () => {
            const { world, here, there, truth } = await begin(await newRcloneS3World(server(), rclone.path))
            const held = holdRequest(world, at)
            const running = here.start({}, "cloud", "bisync", ...args)
            const done = ended(running)
            await held.reached
            const started = processesNaming(here.bin)
            process.kill(mustBe(rcloneIn(here.bin)), "SIGKILL")
            const ran = await done
            held.letGo()
            expect(ran, ran.out + ran.err).toMatchObject({ exit: 1 })
            expect(ran.out + ran.err).toMatch(says)
            await until(() => started.every(isGone))

            expectKept(world, [here, there], truth)
            await expectSynced(here)
            await expectSynced(there)
            await expectEqual(world, [here, there], truth)
          },
          TEST_MS_MAX,
        )

      test(
        "says of each note that rclone ended where it is killed in a run that only downloads",
        async () => {
          const { world, here, there, truth } = await begin(await newRcloneS3World(server(), rclone.path))
          await expectSynced(here)
          const held = holdRequest(world, { ...on("GET"), number: 2 })
          const done = ended(there.start({}, "cloud", "bisync"))
          await held.reached
          process.kill(mustBe(rcloneIn(there.bin)), "SIGKILL")
          const ran = await done
          held.letGo()
          expect(ran, ran.out + ran.err).toMatchObject({ exit: 1 })
          expect(ran.out).toMatch(/Sync stopped short[^]*not done {2}\S+\.md {2}.*rclone ended/)
          expectKept(world, [here, there], truth)
          await expectSynced(there)
          await expectEqual(world, [here, there], truth)
        },
        TEST_MS_MAX,
      )
    }),
  )
})

interface Begun {
  readonly world: RcloneS3World
  readonly here: RcloneDevice
  readonly there: RcloneDevice
  readonly truth: Readonly<Record<string, string>>
}

/** Two devices that know the same notes; then changes on one of them, and one from afar that is in the bucket already. */
async function begin(world: RcloneS3World): Promise<Begun> {
  onTestFinished(() => world.stop(), TEST_MS_MAX)
  const [here, there] = [world.rcloneDevice("here"), world.rcloneDevice("there")]
  const before = Object.fromEntries(["a", "b", "c", "gone", "far"].map((name) => [`${name}.md`, `${name}\n`]))
  for (const [path, text] of Object.entries(before)) put(here.dir, path, text)
  await here.setUp()
  await there.setUp()
  put(there.dir, "far.md", "from afar\n")
  await expectSynced(there)
  const changed = { "a.md": "a, edited\n", "b.md": "b, edited\n", "new/d.md": "d\n", "new/e.md": "e\n" }
  for (const [path, text] of Object.entries(changed)) put(here.dir, path, text)
  rmSync(join(here.dir, "gone.md"))
  const { "gone.md": _, ...rest } = before
  return { world, here, there, truth: { ...rest, "far.md": "from afar\n", ...changed } }
}

/** Keeps the request of this number, and those after it, away from the server. */
function holdRequest(
  { proxy }: RcloneS3World,
  { match, number }: At,
): { readonly reached: Promise<void>; letGo(): void } {
  const gone = withResolve()
  const reached = withResolve()
  let arrived = 0
  proxy.faults.push({
    act: "hold",
    match,
    async until() {
      arrived++
      if (arrived < number) return
      reached.resolve()
      await gone.promise
    },
  })
  return {
    reached: reached.promise,
    letGo() {
      proxy.faults.length = 0
      gone.resolve()
    },
  }
}

function withResolve(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((done) => (resolve = done))
  return { promise, resolve: () => resolve() }
}

function mustBe(pid: number | undefined): number {
  if (pid === undefined) throw new Error("no rclone runs")
  return pid
}

function flagsIn({ folder }: RcloneS3World): readonly string[] {
  return readdirSync(join(folder, ".basic-memory/bisync/lease"))
}

/** Every version that counts is whole in a folder or in the bucket. */
function expectKept(
  world: RcloneS3World,
  devices: readonly RcloneDevice[],
  truth: Readonly<Record<string, string>>,
): void {
  const texts = new Set([
    ...devices.flatMap(({ dir }) => [...notesIn(dir).values()]),
    ...world.notes().values(),
  ])
  for (const [path, text] of Object.entries(truth)) expect(texts.has(text), path).toBe(true)
}
