/** Temporary directories and a stock git without anybody's settings, for the tests of this room. */

import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"

/** Gone when the test that asked for it has ended. */
export function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "bm-history-"))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export const hasGit = spawnSync("git", ["--version"]).status === 0
if (!hasGit && (process.env["BM_REQUIRE"] ?? "").includes("git"))
  throw new Error("git is required and missing")

const ENVIRONMENT = {
  PATH: process.env["PATH"] ?? "",
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  LC_ALL: "C",
}

export function git(directory: string, ...args: readonly string[]): string {
  return gitBytes(directory, ...args).toString("utf8")
}

export function gitBytes(directory: string, ...args: readonly string[]): Buffer {
  const options = { cwd: directory, env: ENVIRONMENT, stdio: ["ignore", "pipe", "pipe"] as const }
  return execFileSync("git", args, { ...options, stdio: [...options.stdio], maxBuffer: 64 * 1024 * 1024 })
}

/** What `git fsck --strict` finds wrong; nothing is an empty string. */
export function fsck(gitDirectory: string): string {
  const run = spawnSync(
    "git",
    ["--git-dir", gitDirectory, "fsck", "--strict", "--no-dangling", "--no-progress"],
    {
      env: ENVIRONMENT,
      encoding: "utf8",
    },
  )
  return run.status === 0 ? run.stderr + run.stdout : `exit ${run.status}: ${run.stderr}${run.stdout}`
}

export function packsIn(gitDirectory: string): string[] {
  return readdirSync(join(gitDirectory, "objects/pack")).filter((name) => name.endsWith(".pack"))
}

export function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => join(directory, name))
}
