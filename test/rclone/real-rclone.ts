/**
 * A `describe` for each real rclone that is promised, the newest that was measured and the oldest: skipped with the
 * reason where one cannot be had, and a failure where `BM_REQUIRE` names it.
 */

import { execFileSync } from "node:child_process"
import { describe, test } from "vitest"
import { isRequired } from "../servers/describe-server.ts"
import { findServer } from "../servers/install.mjs"

export interface RealRclone {
  readonly name: "rclone" | "rclone-oldest"
  readonly path: string
  /** The whole environment is what is handed in. */
  run(args: readonly string[], environment?: Readonly<Record<string, string>>): string
}

export function describeEachRclone(body: (rclone: RealRclone) => void): void {
  for (const name of ["rclone", "rclone-oldest"] as const) {
    describe(name, () => {
      const { path, reason } = findServer(name)
      if (path !== undefined)
        body({ name, path, run: (args, environment = {}) => run(path, args, environment) })
      else if (isRequired([name]))
        test("can be had", () => {
          throw new Error(`required, and ${reason}`)
        })
      else {
        console.warn(`skipped: ${reason}`)
        test.skip(reason, () => {})
      }
    })
  }
}

function run(path: string, args: readonly string[], environment: Readonly<Record<string, string>>): string {
  return execFileSync(path, args, {
    env: { HOME: "/nonexistent", ...environment },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  })
}
