/**
 * Creates the bare bones of `history.git`, and the link that lets a user's own git find it from the sync directory.
 *
 * `HEAD` is written last: a repository without it is one that a crash interrupted, and is made again. The settings
 * keep a user's git from changing bytes (line ends, filters), from running anything (hooks, monitors), and from
 * throwing away what no branch names; notes with odd names or content must not fail `git fsck --strict`.
 */

import { lstat, open, rm, readFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import type { Trouble } from "../model/errors.ts"
import { CONTROL_DIRECTORY } from "../model/path.ts"
import type { Result } from "../model/result.ts"
import { makeDirectory, replaceFile, syncDirectory } from "./durable-file.ts"
import { BRANCH } from "./git-refs.ts"
import { attempt, isAbsent, isTaken } from "./git-trouble.ts"

/**
 * Checks of a repository's *content*, which here is anybody's notes. Git refuses to check anything when it meets a
 * name it does not know; all of these are known to every release since 2.30.7 of January 2023.
 */
const FSCK_IGNORED = [
  "gitmodulesBlob",
  "gitmodulesLarge",
  "gitmodulesName",
  "gitmodulesParse",
  "gitmodulesPath",
  "gitmodulesSymlink",
  "gitmodulesUpdate",
  "gitmodulesUrl",
  "gitattributesBlob",
  "gitattributesLarge",
  "gitattributesLineLength",
  "gitattributesSymlink",
  "hasDotgit",
]

/** From this size on git neither deltifies a blob, so that it can be streamed, nor shows its lines. */
const BIG_FILE_BYTES = 10 * 1024 * 1024

const CONFIG = `[core]
\trepositoryformatversion = 0
\tfilemode = false
\tbare = false
\tlogallrefupdates = false
\tautocrlf = false
\tsafecrlf = false
\tfsmonitor = false
\thooksPath = /dev/null
\tbigFileThreshold = ${BIG_FILE_BYTES}
[gc]
\tauto = 0
\tpruneExpire = never
[maintenance]
\tauto = false
[commit]
\tgpgSign = false
[fsck]
${FSCK_IGNORED.map((id) => `\t${id} = ignore\n`).join("")}`

const EXCLUDE = `/${CONTROL_DIRECTORY}/\n`
/** Stands above every \`.gitattributes\` that a note may be called. */
const ATTRIBUTES = "* -text -ident !eol !filter !working-tree-encoding\n"

export async function createRepository(gitDirectory: string): Promise<void> {
  const packDirectory = join(gitDirectory, "objects", "pack")
  if (await isThere(join(gitDirectory, "HEAD"))) return
  for (const name of ["objects/info", "objects/pack", "refs/heads", "refs/tags", "info"]) {
    await makeDirectory(join(gitDirectory, name))
  }
  const texts: readonly (readonly [name: string, text: string])[] = [
    ["config", CONFIG],
    ["info/exclude", EXCLUDE],
    ["info/attributes", ATTRIBUTES],
    ["HEAD", `ref: ${BRANCH}\n`],
  ]
  for (const [name, text] of texts) await replaceFile({ path: join(gitDirectory, name), packDirectory, text })
}

/**
 * Makes `git log` work in the sync directory and below, unless there is a `.git` of any kind already.
 *
 * Errors: `Trouble` of the disk; the history is complete without the link.
 */
export function writeGitLink(options: {
  readonly gitDirectory: string
  readonly syncDirectory: string
}): Promise<Result<"written" | "present", Trouble>> {
  return attempt(".git", async () => {
    const link = join(options.syncDirectory, ".git")
    const text = `gitdir: ${resolve(options.gitDirectory)}\n`
    if (await isStaleLink(link, text)) await rm(link)
    if (!(await writeNew(link, text))) return "present"
    await syncDirectory(options.syncDirectory)
    return "written"
  })
}

const OUR_LINK = /^(gitdir: .*[/\\]bisync-state[/\\][^/\\]+[/\\]history\.git\n)?$/
const LINK_BYTES_MAX = 4096

/** A link of ours to a history that this folder no longer has, or one that a crash left empty. */
async function isStaleLink(link: string, text: string): Promise<boolean> {
  if (!(await isThere(link))) return false
  const stat = await lstat(link)
  if (!stat.isFile() || stat.size > LINK_BYTES_MAX) return false
  const found = await readFile(link, "utf8")
  return found !== text && OUR_LINK.test(found)
}

/** False: something is there. The exclusive flag follows no symlink, not even one that leads nowhere. */
async function writeNew(path: string, text: string): Promise<boolean> {
  const file = await open(path, "wx", 0o644).catch((error: unknown) => {
    if (isTaken(error)) return undefined
    throw error
  })
  if (file === undefined) return false
  try {
    await file.writeFile(text)
    await file.sync()
    return true
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}
