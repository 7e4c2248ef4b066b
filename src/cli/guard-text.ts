/** What a remote promises about writes, in plain words and as JSON: for `status`, `bisync-setup` and `doctor`. */

import type { Guard, SetupGuard } from "../index.ts"
import { escapeForTerminal } from "./format.ts"

type Tier = Extract<Guard, { readonly tier: unknown }>["tier"]

export function guardText(guard: Guard): string {
  switch (guard.kind) {
    case "guarded_rename":
      return "renames aside and links: other programs may write there too"
    case "rclone":
      return "a lease: one device writes at a time; rclone hands no condition on, so other programs are noticed only afterwards, both versions are kept"
    case "not_probed":
      return "not known yet: the next sync asks the server what it can do"
    default:
      return tierText(guard.tier)
  }
}

const TIER: Readonly<Record<Tier, string>> = {
  A: "every write and every delete is conditional; other programs may write there too",
  B: "every write is conditional, a delete goes by a tombstone; other programs may write there too",
  C: "a lease: one device writes at a time; other programs are noticed only afterwards, both versions are kept",
  D: "none: its listings lag behind; only one device may write there",
}

export function tierText(tier: Tier): string {
  return `${TIER[tier]} (tier ${tier})`
}

/** What a user of this tier should do; nothing where nothing is left to wish for. */
export function tierAdvice(tier: Tier): string | undefined {
  switch (tier) {
    case "A":
    case "B":
      return undefined
    case "C":
      return "turn on the versions of the bucket, so that what another program replaces there is kept"
    case "D":
      return "sync only this one device with it, or use another server"
  }
}

export function guardJson(guard: Guard): object {
  const text = guardText(guard)
  if (guard.kind === "rclone") return { kind: "lease", via: "rclone", text }
  if (guard.kind === "guarded_rename" || guard.kind === "not_probed") return { kind: guard.kind, text }
  const { kind, tier, deletes, server, probedMs } = guard
  return {
    kind,
    tier,
    deletes,
    probed_at: new Date(probedMs).toISOString(),
    server: server ?? null,
    text,
  }
}

/** The step of a setup in which the server was probed. */
export function probedText({ tier, server, result }: SetupGuard): string {
  if (tier === undefined) return "would probe what conditional writes do there"
  const who = server === undefined ? "" : `, ${escapeForTerminal(server)}`
  return `${tier === "D" ? "!" : "✓"} Server probed${who}${result === "already_done" ? " already" : ""}: ${tierText(tier)}`
}
