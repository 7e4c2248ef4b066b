/**
 * What a login opens in a browser: the address that the service gives, as one argument and by no shell, on a terminal alone;
 * and nothing that is not safe to open. The terminal is `script`'s, and the browser a program that writes down what it was
 * told.
 */

import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import { isMissing, type Ran } from "./bm.ts"
import { type AccountDevice, type AccountWorld, newAccountWorld, succeeds } from "./cloud-world.ts"
import { until } from "./processes.ts"
import { TEST_MS_MAX } from "./s3-world.ts"

const LONG = { timeout: TEST_MS_MAX }
/** Only there the program is found on the PATH, and `script` is the one whose words these are. */
const hasTerminal =
  process.platform === "linux" && spawnSync("script", ["-qec", "true", "/dev/null"]).status === 0

const GOOD = "https://login.example/activate"
/** A shell would run what is in it. */
const COMPLETE = "https://login.example/activate?user_code=AB-CD&then=$(touch${IFS}ran)`id`"

const HOSTILE = [
  "javascript:alert(1)",
  "data:text/html,hello",
  "file:///etc/passwd",
  "http://login.example/activate",
  "http://127.0.0.1.login.example/activate",
  "https://login.example/\u001b]0;owned\u0007",
  "https://login.example/\r\nactivate",
  "https://login.example/a b",
  'https://login.example/" --new-window "',
  "https://login.example/\u202eactivate",
  "https://127.0.0.1@login.example/activate",
  "--help",
  "/bin/sh",
  "",
]

describeServer(
  "versitygw",
  (server) => {
    describe.skipIf(isMissing(hasTerminal, "script"))(
      "on a terminal (skipped where there is no script)",
      () => {
        let world: AccountWorld
        let device: AccountDevice

        beforeAll(async () => {
          world = await newAccountWorld(server())
          device = world.device("one")
          const writesDown = '#!/bin/sh\nprintf "%s\\n" "$#" "$@" >> "$HOME/opened"\n'
          writeFileSync(join(device.bin, "xdg-open"), writesDown, { mode: 0o755 })
        }, TEST_MS_MAX)
        afterAll(() => world.stop(), TEST_MS_MAX)

        test.each(HOSTILE.map((uri) => [JSON.stringify(uri), uri]))(
          "the address %s ends the login",
          LONG,
          async (_, uri) => {
            world.cloud.set({ verificationUri: uri, verificationUriComplete: undefined })
            const ran = await loginOnTerminal()
            expect(ran.exit).toBe(1)
            expect(ran.out).toMatch(/Error: What answers there is not the cloud service\r\n/)
            expectNoControls(ran)
            expect(existsSync(device.files.tokens)).toBe(false)
          },
        )

        test("an address with the code in it that is not safe is left out", LONG, async () => {
          for (const uri of HOSTILE) {
            world.cloud.set({ verificationUri: "javascript:alert(1)", verificationUriComplete: uri })
            expect((await loginOnTerminal()).exit).toBe(1)
          }
          world.cloud.set({ verificationUri: GOOD, verificationUriComplete: "javascript:alert(1)" })
          const ran = await succeeds(loginOnTerminal())
          expect(ran.out).toContain(`Open ${GOOD}\r\n`)
          expectNoControls(ran)
          // All that was opened before it would have been written down by now.
          await until(() => opened().length >= 2)
          expect(opened()).toEqual(["1", GOOD])
        })

        test(
          "an address with the code in it is opened as one argument, and no shell reads it",
          LONG,
          async () => {
            world.cloud.set({ verificationUri: GOOD, verificationUriComplete: COMPLETE })
            const before = opened()
            await succeeds(loginOnTerminal())
            await until(() => opened().length >= before.length + 2)
            expect(opened()).toEqual([...before, "1", COMPLETE])
            expect(existsSync(join(device.home, "ran"))).toBe(false)
          },
        )

        test("nothing is opened where there is no terminal", LONG, async () => {
          world.cloud.set({ verificationUri: GOOD, verificationUriComplete: undefined })
          const before = opened()
          const { out } = await succeeds(device.login())
          expect(out).toContain(`Open ${GOOD}\n`)
          // One that is opened after it is the next that is written down.
          await succeeds(loginOnTerminal())
          await until(() => opened().length >= before.length + 2)
          expect(opened()).toEqual([...before, "1", GOOD])
        })

        function loginOnTerminal(): Promise<Ran> {
          const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ")
          return device.runBy((words) => ["script", "-qec", quoted(words), "/dev/null"], "cloud", "login")
        }

        function opened(): readonly string[] {
          const file = join(device.home, "opened")
          return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : []
        }
      },
    )
  },
  { region: "auto" },
)

/** Nothing that a terminal would act upon, but for the ends of lines. */
function expectNoControls({ out }: Ran): void {
  expect(out.replaceAll("\r\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u)
}
