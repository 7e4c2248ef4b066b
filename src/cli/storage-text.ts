/**
 * Texts of what keeps an object store from answering: each cause with its own message and its own way out.
 *
 * The same trouble has the same words in a setup and in a run. Secrets never come this far.
 */

import type { Trouble } from "../index.ts"
import type { ErrorText, Fix } from "./error-text.ts"
import { escapeForTerminal, plural } from "./format.ts"
import { toldByRclone } from "./rclone-text.ts"

const KEYS: Fix = { text: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a pair that is valid there" }
const ASKED: Fix = {
  command: "bm cloud bisync-setup",
  text: "on a terminal: it asks for the pair and keeps it in a private file",
}
const AGAIN: Fix = { text: "run it again later; nothing was decided on a partial look" }

/** A captive portal, a proxy, a web page. */
const notS3 = (word: string): Told => ({
  exit: 1,
  code: "cloud_unreachable",
  message: `What answers there is not an S3 server${word}`,
  why: "its answer is not one that S3 gives; it may be a proxy or a sign-in page of the network",
  fix: [{ text: "look whether the endpoint of the remote is right, and open a web page to see who answers" }],
})

export type Told = Pick<ErrorText, "code" | "exit" | "message" | "fix"> & Pick<Partial<ErrorText>, "why">

/** Undefined where it is no trouble of an object store. */
export function storageError(
  trouble: Trouble,
  { isSetup }: { readonly isSetup: boolean },
): ErrorText | undefined {
  const told = toldByOthers(trouble) ?? tell(trouble, isSetup)
  if (told === undefined) return undefined
  const { code, path, detail } = trouble
  return {
    ...told,
    where: {
      lines: path === "" ? [] : [escapeForTerminal(path)],
      data: { path, trouble: code, ...(detail !== undefined && { detail }) },
    },
  }
}

/** Whoever did not make the pair and the bucket cannot mend them. */
function toldByOthers(trouble: Trouble): Told | undefined {
  switch (trouble.via) {
    case "rclone":
      return toldByRclone(trouble)
    case "account":
      return toldOfAccount(trouble)
    default:
      return undefined
  }
}

function toldOfAccount({ code, detail }: Trouble): Told | undefined {
  if (code !== "credentials" && code !== "denied") return undefined
  const word = detail === undefined || detail === "" ? "" : ` (${escapeForTerminal(detail)})`
  return {
    exit: 1,
    code: "credentials",
    ...(detail !== undefined && MISSING.test(detail)
      ? { message: "This device has lost its key for the storage of your account" }
      : {
          message: `The storage of your account does not accept this device's key any more${word}`,
          why: "it was revoked, or may do less than it must",
        }),
    fix: [{ command: "bm cloud bisync-setup", text: "gets a new one; nothing is lost" }],
  }
}

function tell(trouble: Trouble, isSetup: boolean): Told | undefined {
  const { code, detail } = trouble
  const word = detail === undefined || detail === "" ? "" : ` (${escapeForTerminal(detail)})`
  switch (code) {
    case "credentials":
      return credentials(detail, isSetup)
    case "denied":
      return {
        exit: 1,
        code: "credentials",
        message: `The key is known there, but not allowed to do this${word}`,
        fix: [
          { text: "let it list the bucket, and get, put and delete objects below the prefix" },
          { text: "or use another key or another prefix" },
        ],
      }
    case "no_bucket":
      return {
        exit: 1,
        code: "not_found",
        message: `There is no such bucket${word}`,
        fix: [{ text: "create the bucket, or write its name as it is there; bm never creates one" }],
      }
    case "clock":
      return clock(detail)
    case "busy":
      return {
        exit: 1,
        code: "cloud_unreachable",
        message: `The cloud is too busy to answer${word}`,
        why: "it was asked several times, more slowly each time",
        fix: [AGAIN],
      }
    case "nonsense":
      return notS3(word)
    case "unreachable":
      return {
        exit: 1,
        code: "cloud_unreachable",
        message: `Cannot reach the cloud${word}`,
        fix: [
          { text: "look whether the network is up and the endpoint of the remote is right" },
          { command: "bm doctor", text: "see what answers and what does not" },
        ],
      }
    case "lease_held":
      return {
        exit: 8,
        code: "lock_held",
        message: `Another device is writing to the cloud${word}`,
        why: "this remote lets one device write at a time",
        fix: [{ text: "wait until it has finished and run the command again" }],
      }
    case "lease_lost":
      return {
        exit: 1,
        code: "cloud_unreachable",
        message: "This device may not write to the cloud any longer",
        why: "it could not renew its lease in time (a slow network, or the machine slept)",
        fix: [{ text: "run it again: it goes on where it stopped" }],
      }
    default:
      return undefined
  }
}

/** What is said where no pair was found anywhere; `missing_asked` where the user, asked for one, gave none. */
const MISSING = /^missing/

/** The words that stores use where the pair is known and the signature does not fit: the secret is wrong. */
const WRONG_SECRET = /^(SignatureDoesNotMatch|InvalidSignature)/

function credentials(detail: string | undefined, isSetup: boolean): Told {
  const about = { code: "credentials", exit: 1 } as const
  if (detail !== undefined && MISSING.test(detail))
    return {
      ...about,
      // Setup would have asked, had there been a terminal: a question that nobody can answer is a refusal.
      exit: isSetup ? 4 : 1,
      message: isSetup
        ? `A key pair is needed, and ${detail === "missing" ? "there is no terminal to ask on" : "none was given"}`
        : "No key pair for the cloud was found",
      why: "none is in the environment, in the usual AWS files, or kept by an earlier setup",
      fix: [KEYS, ASKED],
    }
  if (detail !== undefined && /expired/i.test(detail))
    return {
      ...about,
      message: "The credentials for the cloud have expired",
      why: "they were given for a limited time",
      fix: [{ text: "get new ones the way you got these (such as aws sso login)" }, KEYS],
    }
  const word = detail === undefined || detail === "" ? "" : ` (${escapeForTerminal(detail)})`
  if (detail === "AuthorizationHeaderMalformed")
    return {
      ...about,
      message: `The region of the remote is not the server's${word}`,
      fix: [{ text: "write it into the URL: ?region=name, as the provider calls it" }],
    }
  if (detail !== undefined && WRONG_SECRET.test(detail))
    return {
      ...about,
      message: `The secret key is wrong${word}`,
      why: "the access key is known there, but its signature does not fit; a wrong region can look the same",
      fix: [{ text: "copy AWS_SECRET_ACCESS_KEY again, whole and without spaces" }, ASKED],
    }
  return {
    ...about,
    message: `The access key is not known there${word}`,
    fix: [{ text: "look whether AWS_ACCESS_KEY_ID belongs to this endpoint" }, ASKED],
  }
}

function clock(detail: string | undefined): Told {
  const skewMs = Number(/^(-?\d+) ms$/.exec(detail ?? "")?.[1] ?? Number.NaN)
  const off = Number.isNaN(skewMs)
    ? "too far off"
    : `${spanText(Math.abs(skewMs))} ${skewMs > 0 ? "behind" : "ahead of"} the cloud's`
  return {
    exit: 1,
    code: "cloud_unreachable",
    message: `The clock of this device is ${off}`,
    why: "the cloud refuses requests whose time differs from its own by more than some minutes",
    fix: [
      {
        command: "timedatectl set-ntp true",
        text: "let the system set it (or the time settings of your system)",
      },
    ],
  }
}

/** A difference of clocks, in the largest unit that says it. */
export function spanText(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  if (ms < 2 * 3_600_000) return plural(Math.round(ms / 60_000), "minute")
  if (ms < 2 * 86_400_000) return plural(Math.round(ms / 3_600_000), "hour")
  return plural(Math.round(ms / 86_400_000), "day")
}
