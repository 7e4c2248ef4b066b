/** What kept one path from being read or written, in a few words. */

import type { Trouble } from "../index.ts"

const TROUBLE: Readonly<Record<string, string>> = {
  changed_since: "it changed meanwhile",
  unreadable: "it cannot be read",
  not_found: "it is not there",
  no_space: "no space left",
  no_permission: "permission denied",
  read_only: "read-only file system",
  in_the_way: "something else is in the way",
  name_refused: "the name is refused there",
  unsupported: "not supported there",
  not_kept: "the old version could not be kept",
  hash_mismatch: "its bytes are not what they should be",
  unreachable: "it cannot be reached",
  nonsense: "what answers there is no such server",
  blocked_by_errors: "held back, because that side had errors",
  interrupted: "interrupted",
  too_large: "too large for what this storage can guard",
  credentials: "the key was not accepted",
  denied: "not allowed",
  no_bucket: "there is no such bucket",
  clock: "the clock here is too far off",
  lease_held: "another device is writing",
  lease_lost: "it took too long; another device may be writing",
  busy: "the storage is too busy",
  io: "input/output error",
}

export function troubleText({ code, detail }: Pick<Trouble, "code" | "detail">): string {
  return `${TROUBLE[code] ?? code}${detail === undefined ? "" : ` (${detail})`}`
}
