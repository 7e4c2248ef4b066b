/**
 * The branch and the pins: who points to what.
 *
 * The branch moves only from where its writer began, under git's own lock file, so that a `git gc` or a commit
 * by the user at the same moment is neither undone nor does it undo us. We hold the journal's lock: a lock file
 * of ours that is found is left over from a kill.
 */

import { readFile, rm, stat, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { setTimeout } from "node:timers/promises"
import type { GitOid } from "../model/ids.ts"
import { ContentLost } from "../model/ports.ts"
import { makeDirectory, replaceFile } from "./durable-file.ts"
import { parseOid } from "./git-object.ts"
import { isAbsent, isTaken, STORE_NAME } from "./git-trouble.ts"

export const BRANCH = "refs/heads/main"

const LOCK_MARK = "bm\n"
const LOCK_TRIES_MAX = 100
const LOCK_UNCHANGED_MAX = 20
const LOCK_WAIT_MS = 100

export async function readBranch(gitDirectory: string): Promise<GitOid | undefined> {
  const loose = await readIfThere(join(gitDirectory, BRANCH))
  if (loose === undefined) return packedRef(await readIfThere(join(gitDirectory, "packed-refs")))
  const oid = parseOid(loose.trim())
  if (oid === undefined) throw new ContentLost({ code: "hash_mismatch", path: BRANCH, detail: "damaged" })
  return oid
}

/** Says `changed_since` where the branch is no longer at `from`. */
export async function moveBranch(
  gitDirectory: string,
  move: { readonly from: GitOid | undefined; readonly to: GitOid },
): Promise<void> {
  const lockPath = join(gitDirectory, `${BRANCH}.lock`)
  await makeDirectory(dirname(lockPath))
  await takeLock(lockPath)
  try {
    const now = await readBranch(gitDirectory)
    if (now !== move.from) throw new ContentLost({ code: "changed_since", path: BRANCH })
    await writeRef(gitDirectory, BRANCH, move.to)
  } finally {
    await rm(lockPath, { force: true })
  }
}

/** Keeps a large object from a user's `git gc`. */
export async function pinLarge(gitDirectory: string, oid: GitOid): Promise<void> {
  const name = `refs/bm/large/${oid}`
  await makeDirectory(dirname(join(gitDirectory, name)))
  await writeRef(gitDirectory, name, oid)
}

async function writeRef(gitDirectory: string, name: string, oid: GitOid): Promise<void> {
  const packDirectory = join(gitDirectory, "objects", "pack")
  await replaceFile({ path: join(gitDirectory, name), packDirectory, text: `${oid}\n` })
}

/**
 * Git holds such a lock for milliseconds. One that carries our mark, or that stays the same for two seconds, has
 * been left by a process that was killed.
 */
async function takeLock(path: string): Promise<void> {
  let seen: string | undefined
  let unchanged = 0
  for (let tries = 0; tries < LOCK_TRIES_MAX; tries++) {
    if (await createLock(path)) return
    const now = await lockState(path)
    unchanged = now === seen ? unchanged + 1 : 0
    seen = now
    if (now === LOCK_MARK || unchanged >= LOCK_UNCHANGED_MAX) await rm(path, { force: true })
    else await setTimeout(LOCK_WAIT_MS)
  }
  throw new ContentLost({ code: "io", path: STORE_NAME, detail: "EEXIST" })
}

async function createLock(path: string): Promise<boolean> {
  try {
    await writeFile(path, LOCK_MARK, { flag: "wx", mode: 0o600 })
    return true
  } catch (error) {
    if (isTaken(error)) return false
    throw error
  }
}

async function lockState(path: string): Promise<string | undefined> {
  const text = await readIfThere(path)
  if (text === undefined || text === LOCK_MARK) return text
  const at = await stat(path).catch(() => undefined)
  return `${at?.ino} ${at?.mtimeMs} ${text}`
}

function packedRef(text: string | undefined): GitOid | undefined {
  const line = text?.split("\n").find((candidate) => candidate.endsWith(` ${BRANCH}`))
  return line === undefined ? undefined : parseOid(line.slice(0, 40))
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8")
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}
