/**
 * `basic-memory-cloud.json`: the tokens of whoever is logged in on this machine, in the form that other clients of the
 * account share.
 *
 * The file is its owner's alone from the moment it exists, and one that others can read is not used. It is replaced
 * whole, so that a crash leaves the old one or the new one.
 */

import { randomBytes } from "node:crypto"
import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { platform } from "node:os"
import { dirname, join } from "node:path"
import { err, ok, type Result } from "../model/result.ts"
import type { CloudFailure } from "./failure.ts"
import { fieldOf, numberOf, wordOf } from "./fields.ts"

export interface Tokens {
  readonly accessToken: string
  readonly refreshToken?: string
  /** Unix seconds. */
  readonly expiresAtS: number
}

export type TokenFileFailure = Extract<CloudFailure, { kind: "token_file" }>

/** What can stand in a header, and is no more than a header takes. */
export const TOKEN = /^[\x21-\x7e]{1,12000}$/
/** The only kind there is: tokens of another would be sent wrongly. */
const BEARER = "Bearer"
const SECONDS_MAX = 1e11
const PRIVATE_FILE = 0o600
const PRIVATE_DIRECTORY = 0o700
const OTHERS = 0o077

export function tokenFile(stateRoot: string): string {
  return join(stateRoot, "basic-memory-cloud.json")
}

/** `undefined` where nobody is logged in. */
export function readTokens(file: string): Result<Tokens | undefined, TokenFileFailure> {
  const text = readPrivate(file)
  if (!text.ok || text.value === undefined) return text.ok ? ok(undefined) : text
  const tokens = parseTokens(text.value)
  return tokens === undefined ? failed(file, "its form is not known") : ok(tokens)
}

export function writeTokens(file: string, tokens: Tokens): Result<void, TokenFileFailure> {
  const content = {
    access_token: tokens.accessToken,
    refresh_token: tokens.refreshToken,
    expires_at: tokens.expiresAtS,
    token_type: BEARER,
  }
  const temp = `${file}.${randomBytes(6).toString("hex")}`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: PRIVATE_DIRECTORY })
    const fd = openSync(temp, "wx", PRIVATE_FILE)
    try {
      writeFileSync(fd, `${JSON.stringify(content, undefined, 2)}\n`)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temp, file)
    return ok(undefined)
  } catch (error) {
    discard(temp)
    return failed(file, systemWordOf(error))
  }
}

/** That it cannot be removed is no reason to hide the error that led here. */
function discard(temp: string): void {
  try {
    rmSync(temp, { force: true })
  } catch {
    // It is empty, or private as the file itself.
  }
}

/** True where there was a file, whatever was in it. */
export function removeTokens(file: string): Result<boolean, TokenFileFailure> {
  try {
    rmSync(file)
    return ok(true)
  } catch (error) {
    const word = systemWordOf(error)
    return word === "ENOENT" ? ok(false) : failed(file, word)
  }
}

function readPrivate(file: string): Result<string | undefined, TokenFileFailure> {
  try {
    // One descriptor for both: what is read is the file that was looked at.
    const fd = openSync(file, "r")
    try {
      // Windows has no such bits; what it answers means nothing.
      const isOpen = platform() !== "win32" && (fstatSync(fd).mode & OTHERS) !== 0
      return isOpen ? failed(file, "others can read it; chmod 600 it") : ok(readFileSync(fd, "utf8"))
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    const word = systemWordOf(error)
    return word === "ENOENT" ? ok(undefined) : failed(file, word)
  }
}

function parseTokens(text: string): Tokens | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Without the parser's quotation of what is a secret.
    return undefined
  }
  const accessToken = wordOf(fieldOf(value, "access_token"), TOKEN)
  const refreshToken = wordOf(fieldOf(value, "refresh_token"), TOKEN)
  const expiresAtS = numberOf(fieldOf(value, "expires_at"), { min: 0, max: SECONDS_MAX })
  if (accessToken === undefined || expiresAtS === undefined) return undefined
  return { accessToken, ...(refreshToken !== undefined && { refreshToken }), expiresAtS }
}

function failed(file: string, word: string): { readonly ok: false; readonly error: TokenFileFailure } {
  return err({ kind: "token_file", file, word })
}

function systemWordOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EIO"
}
