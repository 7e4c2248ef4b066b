/**
 * Any remote of rclone keeps the contract, by the newest rclone that was measured and by the oldest that is promised.
 *
 * A device dies before every request of its store, and over a folder, where most of them are several requests to rclone,
 * before each of those. The oldest rclone sends WebDAV at most a hundred requests a second, whatever the server could
 * take: there a device dies at every sixth, and the rules of buckets are left to the other remotes, to which it is as old.
 */

import { describe } from "vitest"
import { backendContract } from "../backend/contract.ts"
import { s3Contract } from "../backend/contract-s3.ts"
import { settling } from "../backend/contract-settle.ts"
import { describeEachRclone } from "./real-rclone.ts"
import { describeEachRemote } from "./remotes.ts"

/** All of a remote comes in one page, so more would only take longer. */
const KEYS = 120

describeEachRclone((rclone) =>
  describeEachRemote(rclone, ({ kind, ground }) => {
    const isSlow = kind === "webdav" && rclone.name === "rclone-oldest"
    const open = () => ground().open()
    backendContract("as a side", open, { isSlow: true, every: isSlow ? 6 : 1 })
    if (!isSlow) s3Contract("as a bucket", open, { keys: KEYS, keepsMetadata: false })
    if (kind === "a folder")
      describe("settling, wherever between two requests to rclone a device dies", () =>
        settling(() => ground().open({ diesAt: "rclone" })))
  }),
)
