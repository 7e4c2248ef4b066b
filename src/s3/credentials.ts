/**
 * Key pairs that the user typed, kept for the next run: one private file in the state root, by the remote's URL.
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
import { dirname } from "node:path"
import { err, ok, type Result } from "../model/result.ts"

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

const SCHEMA = "bm.s3-credentials/1"
const PRIVATE_FILE = 0o600
const PRIVATE_DIRECTORY = 0o700
const OTHERS = 0o077

/** `undefined` where none is kept under this URL; the error is a word of the system, or what is wrong with the file. */
export function readStoredCredentials(file: string, url: string): Result<Credentials | undefined, string> {
  const all = readAll(file)
  return all.ok ? ok(all.value.get(url)) : all
}

export function storeCredentials(file: string, url: string, credentials: Credentials): Result<void, string> {
  const all = readAll(file)
  if (!all.ok) return all
  const remotes = Object.fromEntries([...all.value, [url, credentials]])
  const text = `${JSON.stringify({ schema: SCHEMA, remotes }, undefined, 2)}\n`
  const temp = `${file}.${randomBytes(6).toString("hex")}`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: PRIVATE_DIRECTORY })
    const fd = openSync(temp, "wx", PRIVATE_FILE)
    try {
      writeFileSync(fd, text)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temp, file)
    return ok(undefined)
  } catch (error) {
    rmSync(temp, { force: true })
    return err(wordOf(error))
  }
}

function readAll(file: string): Result<ReadonlyMap<string, Credentials>, string> {
  let text: string
  try {
    // One descriptor for both: what is read is the file that was looked at.
    const fd = openSync(file, "r")
    try {
      if ((fstatSync(fd).mode & OTHERS) !== 0) return err("others can read it; chmod 600 it")
      text = readFileSync(fd, "utf8")
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    return wordOf(error) === "ENOENT" ? ok(new Map()) : err(wordOf(error))
  }
  const remotes = parseRemotes(text)
  return remotes === undefined ? err("its form is not known") : ok(remotes)
}

/** All of it or nothing: what is not understood would be lost when the file is written again. */
function parseRemotes(text: string): ReadonlyMap<string, Credentials> | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (fieldOf(value, "schema") !== SCHEMA) return undefined
  const found = fieldOf(value, "remotes")
  if (typeof found !== "object" || found === null) return undefined
  const remotes = new Map<string, Credentials>()
  for (const [url, each] of Object.entries(found)) {
    const accessKeyId = fieldOf(each, "accessKeyId")
    const secretAccessKey = fieldOf(each, "secretAccessKey")
    const sessionToken = fieldOf(each, "sessionToken")
    if (typeof accessKeyId !== "string" || typeof secretAccessKey !== "string") return undefined
    remotes.set(url, {
      accessKeyId,
      secretAccessKey,
      ...(typeof sessionToken === "string" && { sessionToken }),
    })
  }
  return remotes
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined
}

function wordOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "EIO"
}
