/** What `history verify` found, as lines of text and as `bm.verify/1`. */

import type { VerifyCheck, VerifyCheckOf, VerifyReport } from "../index.ts"
import { escapeForTerminal, formatCount, plural } from "./format.ts"

const TITLE = { chain: "Chain", anchors: "Anchors", content: "Content", complete: "Complete" } as const
const LISTED_MAX = 10

export function verifyLines(report: VerifyReport): readonly string[] {
  const lines = report.checks.flatMap((check) => {
    const mark = check.finding === undefined ? "✓" : check.finding === "not_checked" ? "-" : "✗"
    const [first = "", ...others] = checkText(check, report)
    return [
      `${mark} ${TITLE[check.name].padEnd(8)}  ${first}`,
      ...others.map((line) => `            ${line}`),
    ]
  })
  if (report.isIntact) return [...lines, "History is intact."]
  const findings = report.checks.filter(
    ({ finding }) => finding !== undefined && finding !== "not_checked",
  ).length
  const isJournal = report.checks.some(
    ({ name, finding }) => finding !== undefined && name !== "content" && name !== "anchors",
  )
  return [
    ...lines,
    `History is damaged: ${plural(findings, "finding")}.`,
    ...(isJournal
      ? [
          "  Fix    bm cloud bisync --resync    begin a new journal; nothing is deleted, the old one is kept beside it",
        ]
      : []),
    `  ${isJournal ? "      " : "Fix   "} bm doctor                   checks disk and clock`,
  ]
}

function checkText(check: VerifyCheck, report: VerifyReport): readonly string[] {
  if (check.finding === "not_checked") return ["not checked, because the chain is damaged"]
  switch (check.name) {
    case "chain":
      return [chainText(check, report)]
    case "anchors":
      return [anchorsText(check, report)]
    case "content":
      return contentText(check, report)
    case "complete":
      return completeText(check, report)
  }
}

function chainText(check: VerifyCheckOf<"chain">, { entries, devices, device }: VerifyReport): string {
  const { finding, at = 0, expected = 0, found = 0, why, files = [] } = check
  const name = escapeForTerminal(device)
  const cause = why === undefined ? "" : ` (${escapeForTerminal(why)})`
  if (finding === undefined)
    return `${formatCount(entries)} entries on ${plural(devices, "device")}, every link intact`
  switch (finding) {
    case "missing":
      return `${name}: the journal is not there`
    case "empty":
      return `${name}: the journal holds no entries`
    case "gap":
      return `${name}: entry ${formatCount(at)} is missing, ${formatCount(found)} before it are intact`
    case "broken_link":
      return `${name}: the link between entries ${formatCount(at - 1)} and ${formatCount(at)} is broken: one of them was altered`
    case "unreadable":
      return `${name}: the journal cannot be read from entry ${formatCount(Math.max(at, 1))} on${cause}`
    case "tail_missing":
      return `${name}: ${plural(expected - found, "entry", "entries")} missing at the end (anchor says ${formatCount(expected)}, journal ends at ${formatCount(found)})`
    case "damaged_file":
      return `${name}: ${plural(files.length, "file")} of the journal damaged: ${files.slice(0, LISTED_MAX).join(", ")}`
  }
}

function anchorsText(
  { finding, commits = [], runs = [], why }: VerifyCheckOf<"anchors">,
  { entries, anchoredTo }: VerifyReport,
): string {
  switch (finding) {
    case "missing":
      return `${plural(commits.length, "commit")} that the journal names not in git: ${commits
        .slice(0, LISTED_MAX)
        .map((oid) => oid.slice(0, 12))
        .join(", ")}`
    case "tail_missing":
      return `git has commits of runs that the journal does not know: ${runs.slice(0, LISTED_MAX).join(", ")}`
    case "unreadable":
      return `the branch in git cannot be read (${why ?? "damaged"})`
    default: {
      const newer = entries - anchoredTo
      const rest =
        newer === 0
          ? ""
          : newer === 1
            ? "; the newest is not yet"
            : `; the newest ${formatCount(newer)} are not yet`
      return `entries up to ${formatCount(anchoredTo)} are anchored in git and the sync directory${rest}`
    }
  }
}

function contentText(
  { finding, versions, damaged = [] }: VerifyCheckOf<"content">,
  { verifiedFrom }: VerifyReport,
): readonly string[] {
  const since = verifiedFrom > 1 ? ` since entry ${formatCount(verifiedFrom)}` : ""
  if (finding === undefined)
    return [
      `${plural(versions, "stored version")} named by the history${since} ${versions === 1 ? "is" : "are"} present and match${versions === 1 ? "es its" : " their"} hash`,
    ]
  const listed = damaged
    .slice(0, LISTED_MAX)
    .map(
      ({ hash, kind, path }) =>
        `${kind}  ${hash.slice(0, 19)}…${path === undefined ? "" : `  ${escapeForTerminal(path)}`}`,
    )
  return [
    `${formatCount(damaged.length)} of ${plural(versions, "stored version")}${since} missing or altered`,
    ...listed,
  ]
}

function completeText(
  { finding, unexplained = [], rows = [], why }: VerifyCheckOf<"complete">,
  { baselines }: VerifyReport,
): readonly string[] {
  if (finding === undefined) {
    if (baselines === undefined) return ["the state is what the entries say"]
    const { first, last } = baselines
    return [
      first === last
        ? `every file in baseline ${first} is explained by an entry`
        : `every file change between baselines ${first} and ${last} is explained by an entry`,
    ]
  }
  if (finding === "unreadable")
    return [`the folded state cannot be read (${escapeForTerminal(why ?? "damaged")})`]
  const paths = unexplained
    .slice(0, LISTED_MAX)
    .map(
      ({ path, between: [from, to] }) =>
        `${escapeForTerminal(path)} changed between ${from ?? "the beginning"} and ${to ?? "now"} and no entry explains it`,
    )
  const more = unexplained.length > LISTED_MAX ? [`and ${unexplained.length - LISTED_MAX} more`] : []
  return [
    ...paths,
    ...more,
    ...rows.map((row) => `${row === "i!" ? "the indexes are" : `${row} is`} not what the entries say`),
  ]
}

export function verifyDocument(report: VerifyReport): object {
  const { isIntact, entries, devices, device, anchoredTo, verifiedFrom, checks } = report
  return {
    schema: "bm.verify/1",
    ok: isIntact,
    entries,
    devices,
    anchored_to: anchoredTo,
    unanchored: entries - anchoredTo,
    verified_from: verifiedFrom,
    checks: checks.map(({ name, finding, ...evidence }) => ({
      name,
      ok: finding === undefined,
      ...(finding !== undefined && { finding }),
      ...(name === "chain" && finding !== undefined && { device }),
      ...evidence,
      ...("unexplained" in evidence &&
        evidence.unexplained !== undefined && {
          unexplained: evidence.unexplained.map(({ path, between: [from, to] }) => ({
            path,
            between: [from ?? null, to ?? null],
          })),
        }),
    })),
  }
}
