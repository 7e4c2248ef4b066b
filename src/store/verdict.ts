/**
 * What a probe found out about a server, and what follows from it. PURE.
 *
 * A tier is a promise about conditional requests; the other fields are ways in which servers that keep the same
 * promises differ.
 */

/**
 * A: conditional PUT, Complete and DELETE, atomic. B: conditional PUT; a DELETE ignores its condition or races with a
 * PUT. C: no usable conditions, but a listing shows what was written. D: not even that.
 */
export type Tier = "A" | "B" | "C" | "D"

/** The questions; each is asked on keys of our own. */
export type ProbePoint =
  | "create"
  | "create_again"
  | "match_wrong"
  | "match_right"
  | "match_missing"
  | "race_match"
  | "race_create"
  | "complete_stale"
  | "delete_wrong"
  | "race_delete"
  | "copy_source"
  | "list_after_write"
  | "checksums"
  | "odd_keys"
  | "file_beside_directory"
  | "late_presigned"
  | "copy_absent"
  | "copy_parts"

export type Finding = "holds" | "fails" | "unsupported"

export interface Verdict {
  readonly tier: Tier
  /** How `If-Match` must be written for this server to understand it. */
  readonly etagForm: "quoted" | "bare"
  /** Conditions on Complete hold: large files may go in parts. */
  readonly completes: boolean
  /** How a move is kept from replacing what is at its goal. */
  readonly copies: "if_none_match" | "by_parts" | "none"
  /** A presigned request is refused after it expired. */
  readonly refusesLate: boolean
  readonly hasFileBesideDirectory: boolean
  readonly findings: Readonly<Record<ProbePoint, Finding>>
  /** What the server calls itself, where it does. */
  readonly server?: string
}

export const NOTHING_ASKED: Verdict["findings"] = {
  create: "unsupported",
  create_again: "unsupported",
  match_wrong: "unsupported",
  match_right: "unsupported",
  match_missing: "unsupported",
  race_match: "unsupported",
  race_create: "unsupported",
  complete_stale: "unsupported",
  delete_wrong: "unsupported",
  race_delete: "unsupported",
  copy_source: "unsupported",
  list_after_write: "unsupported",
  checksums: "unsupported",
  odd_keys: "unsupported",
  file_beside_directory: "unsupported",
  late_presigned: "unsupported",
  copy_absent: "unsupported",
  copy_parts: "unsupported",
}

/** How a delete is kept from removing what we have not seen. */
export function deleteMode(verdict: Verdict): "conditional" | "tombstone" | "lease" {
  switch (verdict.tier) {
    case "A":
      return "conditional"
    case "B":
      return "tombstone"
    case "C":
    case "D":
      return "lease"
  }
}
