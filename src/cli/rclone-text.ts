/**
 * Texts of what goes wrong between us and rclone, and of what it tells about its storages: there the way out is rclone's.
 */

import type { SyncError, Trouble } from "../index.ts"
import type { ErrorText } from "./error-text.ts"
import { escapeForTerminal } from "./format.ts"
import type { Told } from "./storage-text.ts"

const CONFIG = { command: "rclone config", text: "look at the settings of that remote, and connect it anew" }

/** It is not the network: rclone was ended by somebody, or did not even start. */
const RCLONE_ITSELF = /^rclone (?:ended|did not start)/

/** Undefined where the words for any storage fit. */
export function toldByRclone({ code, detail }: Trouble): Told | undefined {
  const word = detail === undefined || detail === "" ? "" : ` (${escapeForTerminal(detail)})`
  switch (code) {
    case "credentials":
      return {
        exit: 1,
        code: "credentials",
        message: `The storage does not accept what rclone.conf has for it${word}`,
        fix: [CONFIG],
      }
    // A storage that is only looked at gives no reason: the key may be wrong, or may not do this.
    case "denied":
      return {
        exit: 1,
        code: "credentials",
        message: `The storage does not let rclone in with what rclone.conf has for it${word}`,
        fix: [CONFIG, { text: "or let that key list, get, put and delete there" }],
      }
    case "no_bucket":
      return {
        exit: 1,
        code: "not_found",
        message: `There is no such directory or bucket in that remote${word}`,
        fix: [
          { command: "rclone lsd name:", text: "see what is there" },
          { text: "make it there, or write its name as it is; bm never makes a bucket" },
        ],
      }
    case "unreachable":
      return {
        exit: 1,
        code: "cloud_unreachable",
        message: `Cannot reach the cloud by way of rclone${word}`,
        fix: [
          detail !== undefined && RCLONE_ITSELF.test(detail)
            ? { text: "run it again: nothing is lost, the next run goes on from here" }
            : { text: "look whether the network is up; nothing is lost, the next run goes on from here" },
          { command: "bm doctor", text: "see what answers and what does not" },
        ],
      }
    case "unsupported":
      return {
        exit: 1,
        code: "cloud_unreachable",
        message: `This rclone cannot do that with this remote${word}`,
        fix: [
          { text: "bring rclone up to date, where the remote is one that a later version knows" },
          CONFIG,
        ],
      }
    default:
      return undefined
  }
}

export function rcloneMissing({
  why,
  path,
  version,
  detail,
}: Extract<SyncError, { code: "rclone_missing" }>): ErrorText {
  const about = { exit: 1, code: "rclone_missing" } as const
  const where = path === undefined ? {} : { where: { lines: [escapeForTerminal(path)], data: { path } } }
  switch (why) {
    case "missing":
      return {
        ...about,
        message: "rclone not found",
        why: "this remote is reached by way of rclone, and no directory of PATH has it",
        fix: [
          {
            command: "bm cloud bisync-setup",
            text: "offers to install it with the system's package manager; with --yes it does not ask",
          },
          { text: "or use a remote that needs no rclone: file:/path/to/folder or s3://bucket/prefix" },
        ],
      }
    case "too_old":
      return {
        ...about,
        ...where,
        message: `rclone ${version ?? ""} is too old - 1.60.1 or later is needed`,
        fix: [{ text: "update it the way it was installed; 1.72 or later is best" }],
      }
    case "broken":
      return {
        ...about,
        ...where,
        message: `rclone does not run (${escapeForTerminal(detail ?? "no reason given")})`,
        fix: [{ text: "see what it says: rclone version" }],
      }
  }
}
