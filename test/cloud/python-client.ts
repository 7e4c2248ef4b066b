/**
 * The existing Python client (basic-memory 0.15.2) on a device of its own: a fresh home, with nothing of the tester's
 * environment, pointed at a stand-in for the cloud. It is installed by `node test/servers/install.mjs python-client`.
 *
 * It writes its storage's real address into rclone's configuration, whatever the service says; what rclone finds in its
 * environment goes before that, so there the stand-in's storage is named.
 */

import { execFile } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import { describe, test } from "vitest"
import { describeServer, isRequired } from "../servers/describe-server.ts"
import { findServer, type ServerName } from "../servers/install.mjs"
import type { Server } from "../servers/server.ts"
import type { Cloud } from "./service.ts"

/** Its start alone takes seconds on a busy machine. */
const COMMAND_MS_MAX = 120_000

/** All that a sync of it takes. */
const PARTS: readonly ServerName[] = ["python-client", "rclone", "versitygw"]

export interface PythonRan {
  readonly exit: number | null
  /** What it printed on both streams. */
  readonly said: string
}

export interface PythonDevice {
  readonly home: string
  /** The sync directory, once it is set up. */
  readonly dir: string
  readonly stateRoot: string
  /** `bm` with these arguments. */
  run(...args: readonly string[]): Promise<PythonRan>
}

/** Over a real bucket; where it cannot be had the tests are skipped, saying why, and fail where it is required. */
export function describePythonClient(define: (server: () => Server) => void): void {
  const reason = missingPythonClient()
  if (reason === undefined) {
    describeServer("versitygw", define, { region: "auto" })
    return
  }
  describe("the Python client", () => {
    if (isRequired(["python"]))
      test("can be had", () => {
        throw new Error(`required, and ${reason}`)
      })
    else {
      console.warn(`skipped: ${reason}`)
      test.skip(reason, () => {})
    }
  })
}

/** Why it cannot judge here; nothing where it can. */
function missingPythonClient(): string | undefined {
  return PARTS.flatMap((each) => findServer(each).reason ?? [])[0]
}

export function newPythonDevice(home: string, cloud: Cloud): PythonDevice {
  const [client, rclone] = [findServer("python-client").path, findServer("rclone").path]
  if (client === undefined || rclone === undefined) throw new Error(missingPythonClient())
  const stateRoot = join(home, ".basic-memory")
  mkdirSync(stateRoot, { recursive: true })
  const settings = { cloud_host: cloud.url, cloud_domain: cloud.url }
  writeFileSync(join(stateRoot, "config.json"), JSON.stringify(settings), { mode: 0o600 })
  const env = {
    HOME: home,
    PATH: [dirname(rclone), process.env["PATH"] ?? ""].join(delimiter),
    LC_ALL: "C.UTF-8",
    TERM: "dumb",
    // Its tables are cut where the terminal ends.
    COLUMNS: "240",
    // It opens a browser, and nobody sits at one.
    BROWSER: "true",
    RCLONE_S3_ENDPOINT: cloud.endpoint,
  }
  return {
    home,
    dir: join(home, "basic-memory-cloud-sync"),
    stateRoot,
    run: (...args) =>
      new Promise((resolve) => {
        const limits = { timeout: COMMAND_MS_MAX, killSignal: "SIGKILL", encoding: "utf8" } as const
        const child = execFile(client, args, { env, cwd: home, ...limits }, (_, out, err) =>
          resolve({ exit: child.exitCode, said: out + err }),
        )
        child.stdin?.end()
      }),
  }
}
