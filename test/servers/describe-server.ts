/**
 * A `describe` around a real server: it runs where the server can be had, is skipped with the reason where not, and
 * fails where `BM_REQUIRE` names the server.
 *
 * `BM_REQUIRE` is a comma list of parts: a server's name, or `s3` for those that need nothing but Go or npm.
 */

import { afterAll, beforeAll, describe, test } from "vitest"
import { missing, type S3ServerName, type Server, type ServerOptions, startServer } from "./server.ts"

const START_MS_MAX = 120_000

/** Without Node 22 one of those that ignore conditions cannot be had: the other one is enough to be required. */
const PARTS: Readonly<Record<S3ServerName, readonly string[]>> = {
  rclone: ["rclone"],
  versitygw: ["versitygw", "s3"],
  minio: ["minio", "s3"],
  ceph: ["ceph"],
  s3rver: ["s3rver", "s3"],
  fauxqs: ["fauxqs"],
}

/**
 * The server is started before the first test of the body and stopped after the last. The body asks for it inside of
 * its tests and hooks.
 */
export function describeServer(
  name: S3ServerName,
  body: (server: () => Server) => void,
  options: ServerOptions = {},
): void {
  const reason = missing(name)
  if (reason !== undefined) {
    describe(name, () => unavailable(reason, isRequired(PARTS[name])))
    return
  }
  describe(name, () => {
    let server: Server | undefined
    beforeAll(async () => {
      server = await startServer(name, options)
    }, START_MS_MAX)
    afterAll(async () => {
      await server?.stop()
    }, START_MS_MAX)
    body(() => {
      if (server === undefined) throw new Error(`${name} is asked for outside of a test`)
      return server
    })
  })
}

/** Any part by which something is known may be named. */
export function isRequired(parts: readonly string[]): boolean {
  const required = (process.env["BM_REQUIRE"] ?? "").split(",").map((each) => each.trim())
  return parts.some((each) => required.includes(each))
}

function unavailable(reason: string, isFailure: boolean): void {
  if (isFailure)
    test("can be had", () => {
      throw new Error(`required, and ${reason}`)
    })
  else {
    // The reporter is silent about what is skipped in a file that passes.
    console.warn(`skipped: ${reason}`)
    test.skip(reason, () => {})
  }
}
