/**
 * What is secret stays secret while rclone works: the key in rclone.conf and the password by which we talk to rclone are
 * in no command line, in nothing that is said, and in nothing that is kept; and nobody without the password is answered.
 */

import type { ChildProcess } from "node:child_process"
import { lstatSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { describeEachRclone } from "../rclone/real-rclone.ts"
import { describeServer } from "../servers/describe-server.ts"
import { ended, put, versionsInHistory } from "./bm.ts"
import { environmentOf, familyOf, hasProc, listeningOf, LOOPBACK, rcloneIn } from "./processes.ts"
import { newRcloneS3World, type RcloneDevice, type RcloneS3World } from "./rclone-world.ts"
import { expectSynced, TEST_MS_MAX } from "./s3-world.ts"

/** Everything that a user may run over a remote, and one run that fails. */
const COMMANDS = [
  ["cloud", "bisync", "--verbose"],
  ["cloud", "bisync", "--json"],
  ["cloud", "bisync", "--dry-run", "--verbose"],
  ["cloud", "check", "--verbose"],
  ["doctor", "--json"],
] as const

describe.skipIf(!hasProc)("while rclone works", () => {
  describeEachRclone((rclone) =>
    describeServer("versitygw", (server) => {
      test(
        "no secret is in a command line, in what is said, or in what is kept",
        async () => {
          const world = await newWorld(await newRcloneS3World(server(), rclone.path))
          const device = world.rcloneDevice("one")
          const watch = watchRequests(world, device)
          put(device.dir, "before.md", "before\n")
          const said = [await device.setUp()]
          for (const command of COMMANDS) {
            put(device.dir, "edited.md", `edited for ${command.join(" ")}\n`)
            said.push(await watch.during(device.start({ BM_DEBUG: "1" }, ...command)))
          }
          expect(said.map(({ exit }) => exit)).toEqual([0, 0, 0, 0, 0, 0])
          world.proxy.faults.push({ act: "503", match: ({ kind }) => kind === "PUT" })
          said.push(await watch.during(device.start({ BM_DEBUG: "1" }, "cloud", "bisync", "--verbose")))
          expect(said.at(-1)).toMatchObject({ exit: 1 })

          const secrets = [server().secretAccessKey, ...watch.passwords]
          // Each run has a password of its own, and its rclone was seen at work.
          expect(watch.passwords.size).toBeGreaterThan(COMMANDS.length)
          expect(watch.commandLines).toContainEqual(expect.stringMatching(/\/bin\/rclone rcd /))
          const kept = [...filesBelow(device.home, device.conf), ...filesBelow(world.folder)]
          const history = [...versionsInHistory(device)].map((text) => ["history", text] as const)
          const texts = [
            ...watch.commandLines.map((text) => ["command line", text] as const),
            ...said.map(({ out, err }) => ["said", out + err] as const),
            ...history,
            ...kept,
          ]
          expect(history.length).toBeGreaterThan(0)
          expect(kept.map(([file]) => file)).toContainEqual(expect.stringMatching(/journal\//))
          for (const [where, text] of texts)
            expect(
              secrets.filter((secret) => text.includes(secret)),
              where,
            ).toEqual([])
          expect(readFileSync(device.conf, "utf8")).toContain(server().secretAccessKey)
        },
        TEST_MS_MAX,
      )

      test(
        "rclone listens on loopback alone, and answers nobody who does not know the password",
        async () => {
          const world = await newWorld(await newRcloneS3World(server(), rclone.path))
          const device = world.rcloneDevice("one")
          put(device.dir, "a.md", "a\n")
          await device.setUp()
          let answers: readonly Answer[] = []
          world.proxy.faults.push({
            act: "hold",
            times: 1,
            match: ({ kind }) => kind === "LIST",
            async until() {
              answers = await askAll(rcloneIn(device.bin) ?? 0, world)
            },
          })
          await expectSynced(device)
          expect(answers.map(({ status }) => status)).toEqual([...STRANGERS.map(() => 401), 200])
          for (const { text } of answers.slice(0, -1)) expect(text).not.toMatch(/version|secret|a\n/)
        },
        TEST_MS_MAX,
      )
    }),
  )
})

async function newWorld(world: RcloneS3World): Promise<RcloneS3World> {
  onTestFinished(() => world.stop(), TEST_MS_MAX)
  return world
}

interface Watch {
  readonly passwords: ReadonlySet<string>
  readonly commandLines: readonly string[]
  during(running: ChildProcess): ReturnType<typeof ended>
}

/** Looks at every process of a command, whenever the bucket is asked for something. */
function watchRequests({ proxy }: RcloneS3World, { bin }: RcloneDevice): Watch {
  const passwords = new Set<string>()
  const commandLines = new Set<string>()
  let current: ChildProcess | undefined
  proxy.faults.push({
    act: "hold",
    match: () => true,
    async until() {
      const environment = environmentOf(rcloneIn(bin) ?? 0)
      for (const name of ["RCLONE_RC_USER", "RCLONE_RC_PASS"]) {
        const secret = environment.get(name)
        if (secret !== undefined) passwords.add(secret)
      }
      for (const words of familyOf(current?.pid ?? 0).values()) commandLines.add(words.join(" "))
    },
  })
  return {
    passwords,
    get commandLines() {
      return [...commandLines]
    },
    async during(running) {
      current = running
      return ended(running)
    },
  }
}

/** Regular files and what is in them, byte by byte; all but one. */
function filesBelow(directory: string, but?: string): readonly (readonly [string, string])[] {
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" })
  return names
    .map((name) => join(directory, name))
    .filter((file) => file !== but && lstatSync(file).isFile())
    .map((file) => [file, readFileSync(file, "latin1")] as const)
}

interface Answer {
  readonly status: number
  readonly text: string
}

type Request = (at: { readonly bucket: string; readonly user: string }) => {
  readonly method: string
  readonly path: string
  readonly login?: string
}

const STRANGERS: readonly Request[] = [
  () => ({ method: "POST", path: "/core/version" }),
  () => ({ method: "POST", path: "/config/dump" }),
  () => ({ method: "POST", path: "/core/command" }),
  () => ({ method: "GET", path: "/" }),
  ({ bucket }) => ({ method: "GET", path: `/[r:${bucket}]/a.md` }),
  () => ({ method: "POST", path: "/core/version", login: "somebody:else" }),
  ({ user }) => ({ method: "POST", path: "/core/version", login: `${user}:` }),
]

/** All strangers, and at last whoever knows the password. */
async function askAll(pid: number, { bucket }: RcloneS3World): Promise<readonly Answer[]> {
  const listening = listeningOf(pid)
  expect(listening).toEqual([{ address: LOOPBACK, port: expect.any(Number) }])
  const environment = environmentOf(pid)
  const user = environment.get("RCLONE_RC_USER") ?? ""
  const own: Request = () => ({
    method: "POST",
    path: "/core/version",
    login: `${user}:${environment.get("RCLONE_RC_PASS")}`,
  })
  const answers: Answer[] = []
  for (const request of [...STRANGERS, own]) {
    const { method, path, login } = request({ bucket, user })
    const headers = login === undefined ? {} : { authorization: `Basic ${btoa(login)}` }
    const answer = await fetch(`http://127.0.0.1:${listening[0]?.port}${path}`, { method, headers })
    answers.push({ status: answer.status, text: await answer.text() })
  }
  return answers
}
