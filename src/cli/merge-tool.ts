/**
 * Opens the user's diff or merge program on temporary files: a fixed list of arguments, never a shell.
 *
 * Which one stands in `bisync_config.mergetool`: a name this program knows, or a command with `$BASE $LOCAL $REMOTE
 * $MERGED` in it. Without it git's `merge.tool` of the user is taken, never that of a repository, because a synced
 * folder must not be able to name a program. The files are private and removed afterwards.
 */

import { execFileSync, spawn, type StdioOptions } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"

export interface ToolFiles {
  readonly base?: Uint8Array
  readonly local: Uint8Array
  readonly remote: Uint8Array
  /** What the program finds in the file that it shall write; only for a merge. */
  readonly merged?: Uint8Array
}

export type ToolEnd =
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "closed"; readonly merged: Uint8Array | undefined }

type Paths = Readonly<Record<"BASE" | "LOCAL" | "REMOTE" | "MERGED", string>>
type Arguments = (files: Paths) => readonly string[]

interface Tool {
  readonly program: string
  readonly diff: Arguments
  readonly merge: Arguments
}

const PLAIN: Arguments = ({ LOCAL, REMOTE }) => [LOCAL, REMOTE]
const VIM: Arguments = ({ LOCAL, BASE, REMOTE, MERGED }) => ["-d", MERGED, LOCAL, BASE, REMOTE]

/** Programs with the arguments they take, as in git's own mergetools. */
const TOOLS: Readonly<Record<string, Tool>> = {
  meld: {
    program: "meld",
    diff: PLAIN,
    merge: ({ LOCAL, BASE, REMOTE, MERGED }) => [LOCAL, BASE, REMOTE, "-o", MERGED],
  },
  kdiff3: {
    program: "kdiff3",
    diff: PLAIN,
    merge: ({ LOCAL, BASE, REMOTE, MERGED }) => [BASE, LOCAL, REMOTE, "-o", MERGED],
  },
  opendiff: {
    program: "opendiff",
    diff: PLAIN,
    merge: ({ LOCAL, BASE, REMOTE, MERGED }) => [LOCAL, REMOTE, "-ancestor", BASE, "-merge", MERGED],
  },
  vscode: {
    program: "code",
    diff: ({ LOCAL, REMOTE }) => ["--wait", "--diff", LOCAL, REMOTE],
    merge: ({ LOCAL, BASE, REMOTE, MERGED }) => ["--wait", "--merge", REMOTE, LOCAL, BASE, MERGED],
  },
  bc: {
    program: "bcompare",
    diff: PLAIN,
    merge: ({ LOCAL, BASE, REMOTE, MERGED }) => [LOCAL, REMOTE, BASE, MERGED],
  },
  p4merge: {
    program: "p4merge",
    diff: PLAIN,
    merge: ({ LOCAL, BASE, REMOTE, MERGED }) => [BASE, REMOTE, LOCAL, MERGED],
  },
  vimdiff: { program: "vim", diff: ({ LOCAL, REMOTE }) => ["-d", LOCAL, REMOTE], merge: VIM },
  gvimdiff: {
    program: "gvim",
    diff: ({ LOCAL, REMOTE }) => ["-f", "-d", LOCAL, REMOTE],
    merge: (at) => ["-f", ...VIM(at)],
  },
  nvimdiff: { program: "nvim", diff: ({ LOCAL, REMOTE }) => ["-d", LOCAL, REMOTE], merge: VIM },
}

export async function openTool(
  configured: string | undefined,
  files: ToolFiles,
  at: { readonly home: string; readonly name: string; readonly env: NodeJS.ProcessEnv },
): Promise<ToolEnd> {
  const tool = findTool(configured ?? gitTool(at))
  if (typeof tool === "string") return { kind: "failed", why: tool }
  const directory = mkdtempSync(join(tmpdir(), "bm-merge-"))
  try {
    const paths = writeFiles(directory, files, at.name)
    const args = (files.merged === undefined ? tool.diff : tool.merge)(paths)
    const failure = await runTool(tool.program, args, at.env)
    if (failure !== undefined) return { kind: "failed", why: failure }
    return { kind: "closed", merged: files.merged === undefined ? undefined : readFileSync(paths.MERGED) }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The tool, or why there is none. */
function findTool(text: string | undefined): Tool | string {
  if (text === undefined || text.trim() === "") return "none is named"
  const words = text.trim().split(/\s+/)
  const [program = "", ...rest] = words
  const known = words.length === 1 ? TOOLS[program.replace(/^bc[34]$/, "bc")] : undefined
  if (known !== undefined && Object.hasOwn(TOOLS, program.replace(/^bc[34]$/, "bc"))) return known
  if (rest.some((word) => word.includes("$"))) {
    const filled: Arguments = (paths) => rest.map((word) => fill(word, paths))
    return { program, diff: filled, merge: filled }
  }
  const merge: Arguments = ({ LOCAL, BASE, REMOTE, MERGED }) => [...rest, LOCAL, BASE, REMOTE, MERGED]
  return { program, diff: (paths) => [...rest, ...PLAIN(paths)], merge }
}

function fill(word: string, paths: Paths): string {
  return word.replace(/\$(BASE|LOCAL|REMOTE|MERGED)\b/g, (_, name: keyof Paths) => paths[name])
}

/** Only the user's own setting counts: not asked inside a repository, and not of one. */
function gitTool({
  home,
  env,
}: {
  readonly home: string
  readonly env: NodeJS.ProcessEnv
}): string | undefined {
  try {
    const words = ["config", "--global", "--get", "merge.tool"]
    const stdio: StdioOptions = ["ignore", "pipe", "ignore"]
    return execFileSync("git", words, { cwd: home, env, encoding: "utf8", stdio }).trim()
  } catch {
    return undefined
  }
}

function writeFiles(directory: string, files: ToolFiles, name: string): Paths {
  // Its ending chooses the colours of an editor; nothing else of a foreign name is used.
  const ending = /\.[a-z0-9]{1,8}$/i.exec(basename(name))?.[0] ?? ""
  const write = (label: string, bytes: Uint8Array): string => {
    const file = join(directory, `${label}${ending}`)
    writeFileSync(file, bytes, { mode: 0o600, flag: "wx" })
    return file
  }
  return {
    BASE: write("base", files.base ?? new Uint8Array()),
    LOCAL: write("here", files.local),
    REMOTE: write("cloud", files.remote),
    MERGED: write("merged", files.merged ?? new Uint8Array()),
  }
}

function runTool(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, [...args], { stdio: "inherit", shell: false, env })
    child.on("error", (error) =>
      resolve(`${program} cannot be started (${"code" in error ? String(error.code) : error.name})`),
    )
    child.on("exit", (code, signal) =>
      resolve(code === 0 ? undefined : `${program} ended with ${signal ?? code ?? "an error"}`),
    )
  })
}
