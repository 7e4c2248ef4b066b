/** The words of the command line, for the completion scripts: which commands there are and which flags each takes. */

export interface Completion {
  readonly command: string
  readonly flags: readonly string[]
  /** Words that may follow other than flags. */
  readonly words?: readonly string[]
}

const COMMON = ["--json", "--quiet", "--verbose", "--no-color", "--yes", "--help"]
const RUNS = ["--confirm-deletes", "--dry-run"]
const FILTERS = ["--since", "--until", "--path", "--device", "--kind", "--conflicts"]

const OWN: readonly Completion[] = [
  { command: "", flags: [], words: ["cloud", "sync", "doctor", "completion", "tools", "demo"] },
  {
    command: "cloud",
    flags: [],
    words: [
      "bisync-setup",
      "bisync",
      "history",
      "conflicts",
      "status",
      "check",
      "undo",
      "redo",
      "login",
      "logout",
    ],
  },
  {
    command: "cloud bisync",
    flags: [
      ...RUNS,
      "--profile",
      "--conflict-resolve",
      "--max-delete",
      "--resync",
      "--project",
      "--dir",
      "--out",
      "--apply",
      "--exit-code",
    ],
  },
  {
    command: "cloud bisync-setup",
    flags: ["--dir", "--remote", "--backend", "--device", "--import", "--unsafe-multi-writer", "--dry-run"],
  },
  { command: "cloud undo", flags: [...RUNS, "--to", "--if-changed", "--out"] },
  { command: "cloud redo", flags: [...RUNS, "--if-changed", "--out"] },
  { command: "cloud status", flags: [] },
  { command: "cloud check", flags: ["--one-way", "--project"] },
  {
    command: "cloud conflicts",
    flags: ["--all", "--path", "--since", "--exit-code"],
    words: ["list", "show", "diff", "resolve"],
  },
  { command: "cloud conflicts list", flags: ["--all", "--path", "--since", "--exit-code"] },
  { command: "cloud conflicts show", flags: [] },
  { command: "cloud conflicts diff", flags: ["--base", "--tool"] },
  { command: "cloud conflicts resolve", flags: [...RUNS, "--keep", "--use", "--tool", "--path"] },
  {
    command: "cloud history",
    flags: [...FILTERS, "--all", "--limit", "--before"],
    words: ["list", "show", "verify", "export"],
  },
  { command: "cloud history list", flags: [...FILTERS, "--all", "--limit", "--before"] },
  { command: "cloud history show", flags: ["--patch", "--at"] },
  { command: "cloud history verify", flags: ["--since"] },
  { command: "cloud history export", flags: [...FILTERS, "--out", "--format", "--prune"] },
  { command: "cloud login", flags: ["--host"] },
  { command: "cloud logout", flags: [] },
  {
    command: "sync",
    flags: [
      "--watch",
      "--project",
      "--interval",
      "--pause",
      "--resume",
      "--install-service",
      "--uninstall-service",
      "--confirm-deletes",
      "--dry-run",
    ],
  },
  { command: "doctor", flags: ["--fix"] },
  { command: "completion", flags: [], words: ["bash", "zsh", "fish", "powershell"] },
  { command: "tools", flags: [], words: ["continue-conversation"] },
  { command: "tools continue-conversation", flags: ["--topic", "--timeframe", "--project"] },
  { command: "demo", flags: [] },
]

export const COMPLETIONS: readonly Completion[] = OWN.map((each) => ({
  ...each,
  flags: [...each.flags, ...COMMON],
}))

/** What may follow these flags. */
export const VALUES: readonly { readonly flag: string; readonly values: readonly string[] }[] = [
  { flag: "--profile", values: ["safe", "balanced", "fast"] },
  { flag: "--conflict-resolve", values: ["none", "newer"] },
  { flag: "--if-changed", values: ["merge", "skip", "keep-both", "overwrite"] },
  { flag: "--keep", values: ["local", "remote", "winner", "loser", "both", "merged"] },
  { flag: "--kind", values: ["bisync", "resync", "undo", "redo", "resolve", "prune"] },
  { flag: "--backend", values: ["native", "rclone"] },
  { flag: "--format", values: ["jsonl", "csv"] },
  { flag: "--pause", values: ["30m", "2h", "1d", "1w"] },
]

/** Flags that are followed by a file or a folder. */
export const FILE_FLAGS: readonly string[] = ["--dir", "--out", "--apply", "--use", "--import"]
