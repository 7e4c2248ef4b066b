/**
 * The bucket closes: a key that is taken back in the middle of a run, a bucket that is gone, or another in its place.
 * The run ends and says which; nothing is deleted anywhere, and with the old state of things the next run goes on.
 */

import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { expect, onTestFinished, test } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import type { Server } from "../servers/server.ts"
import { s3Request } from "../servers/sign.ts"
import { ended, newDevice, notesIn, put } from "./bm.ts"
import { expectEqual, expectSynced, newS3World, on, TEST_MS_MAX } from "./s3-world.ts"

/** Long enough for a run to come as far as its first download on a busy machine. */
const LIFE_MS = 8000
const LONG_MS = 200_000

const CLOSINGS = [
  {
    rule: "ends a run in the middle when its key is wrong from then on, and goes on with a good one",
    key: "wrong",
    says: /the key was not accepted \(SignatureDoesNotMatch\)|The secret key is wrong/,
    later: /The secret key is wrong/,
  },
  {
    rule: "ends a run in the middle when its key expires, and goes on with a good one",
    key: "none",
    says: /the key was not accepted|No key pair for the cloud was found/,
    later: /No key pair for the cloud was found/,
  },
] as const

describeServer("versitygw", (server) => {
  for (const { rule, key: bad, says, later } of CLOSINGS)
    test(
      rule,
      async () => {
        const world = await newS3World(server())
        onTestFinished(() => world.stop(), TEST_MS_MAX)
        const device = world.device("one")
        const other = world.device("other")
        for (const name of ["a", "b", "c"]) put(device.dir, `${name}.md`, `${name}\n`)
        await device.setUp()
        await other.setUp()
        put(other.dir, "far.md", "from afar\n")
        await expectSynced(other)
        const key = changingKey(device.home, server())
        const edited = Object.fromEntries(["a", "d", "e", "f"].map((name) => [`${name}.md`, `${name} new\n`]))
        for (const [path, text] of Object.entries(edited)) put(device.dir, path, text)
        rmSync(join(device.dir, "b.md"))
        const truth = { "c.md": "c\n", "far.md": "from afar\n", ...edited }
        world.proxy.faults.push({
          act: "hold",
          times: 1,
          until: async () => {
            key.become(bad, { lifeMs: LONG_MS })
            await key.expired()
          },
          ...on("GET"),
        })
        // Without the keys in its environment the SDK asks the program that its profile names.
        const ran = await ended(newDevice(device.home, world.url).start({}, "cloud", "bisync"))
        expect(ran, ran.out + ran.err).toMatchObject({ exit: 1 })
        expect(ran.out + ran.err).toMatch(says)
        expect(ran.out + ran.err).not.toContain(server().secretAccessKey)
        const kept = new Set([...notesIn(device.dir).values(), ...world.notes().values()])
        for (const text of Object.values(truth)) expect(kept).toContain(text)
        expect([...world.notes().keys()]).toContain("b.md")
        const again = await ended(newDevice(device.home, world.url).start({}, "cloud", "bisync"))
        expect(again, again.out).toMatchObject({ exit: 1 })
        expect(again.err).toMatch(later)
        expect(again.err).toMatch(/Nothing was changed/)
        key.become("right", { lifeMs: LONG_MS })
        const good = await ended(newDevice(device.home, world.url).start({}, "cloud", "bisync"))
        expect(good, good.out + good.err).toMatchObject({ exit: 0 })
        await expectSynced(other)
        await expectEqual(world, [device, other], truth)
      },
      TEST_MS_MAX,
    )

  test(
    "deletes nothing here where the bucket is gone, or another is in its place",
    async () => {
      const world = await newS3World(server())
      onTestFinished(() => world.stop(), TEST_MS_MAX)
      const device = world.device("one")
      for (const name of ["a", "b", "c"]) put(device.dir, `${name}.md`, `${name}\n`)
      await device.setUp()
      await expectSynced(device)
      const before = notesIn(device.dir)
      const bucket = join(server().root, world.bucket)
      const aside = join(world.root, "bucket")
      renameSync(bucket, aside)

      const gone = await device.bisync()
      expect(gone, gone.out).toMatchObject({ exit: 1 })
      expect(gone.err).toMatch(/There is no such bucket[^]*Nothing was changed/)
      expect(notesIn(device.dir)).toEqual(before)

      await s3Request(server(), { method: "PUT", target: `/${world.bucket}` })
      const anew = await device.bisync()
      expect(anew, anew.out).toMatchObject({ exit: 7 })
      expect(anew.err).toMatch(/is not the remote that was synced - --resync needed[^]*Nothing was changed/)
      expect(notesIn(device.dir)).toEqual(before)
      expect(world.notes()).toEqual(new Map())

      rmSync(bucket, { recursive: true })
      renameSync(aside, bucket)
      put(device.dir, "d.md", "d\n")
      await expectSynced(device)
      await expectEqual(world, [device], { "a.md": "a\n", "b.md": "b\n", "c.md": "c\n", "d.md": "d\n" })
    },
    TEST_MS_MAX,
  )
})

type What = "right" | "wrong" | "none"

/** A profile whose program is asked often, for what it gives expires soon. */
function changingKey(
  home: string,
  { accessKeyId, secretAccessKey }: Server,
): { become(what: What, options?: { readonly lifeMs: number }): void; expired(): Promise<void> } {
  const directory = join(home, ".aws")
  const program = join(directory, "key")
  const answer = join(directory, "answer")
  mkdirSync(directory, { recursive: true })
  writeFileSync(program, `#!/bin/sh\nexec cat "${answer}"\n`)
  chmodSync(program, 0o755)
  writeFileSync(join(directory, "config"), `[default]\ncredential_process = ${program}\n`)
  let expiresMs = 0
  const become = (what: What, { lifeMs } = { lifeMs: LIFE_MS }) => {
    if (existsSync(answer)) rmSync(answer)
    if (what === "none") return
    const SecretAccessKey = what === "right" ? secretAccessKey : "another"
    if (what === "right") expiresMs = Date.now() + lifeMs
    const Expiration = new Date(Date.now() + lifeMs).toISOString()
    writeFileSync(
      answer,
      JSON.stringify({ Version: 1, AccessKeyId: accessKeyId, SecretAccessKey, Expiration }),
    )
  }
  become("right")
  return { become, expired: () => delay(Math.max(0, expiresMs - Date.now())) }
}
