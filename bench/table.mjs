// What was measured, as rows with medians, as ratios against their targets, and as a table for people.
import { median } from "./measure.mjs"

const RSS_MB_MAX = 200

export function rowsOf(samples) {
  const rows = new Map()
  for (const { workload, tool, ...sample } of samples) {
    const key = `${workload}\0${tool}`
    if (!rows.has(key)) rows.set(key, { workload, tool, samples: [] })
    rows.get(key).samples.push(sample)
  }
  return [...rows.values()].map(({ workload, tool, samples: all }) => ({
    workload,
    tool,
    runs: all.length,
    wallMs: rounded(median(all.map(({ wallMs }) => wallMs))),
    wallMsMin: rounded(Math.min(...all.map(({ wallMs }) => wallMs))),
    cpuMs: median(all.map(({ cpuMs }) => cpuMs)),
    peakRssMb: rounded(Math.max(...all.map(({ peakRssKb }) => peakRssKb)) / 1024),
  }))
}

/** Each target with what it came to; `undefined` where the peer is missing. */
export function targetsOf(rows) {
  const row = (workload, tool) => rows.find((one) => one.workload === workload && one.tool === tool)
  const ratio = (of, to, unit = "wallMs") =>
    of?.[unit] === undefined || to?.[unit] === undefined
      ? undefined
      : Math.round((of[unit] / to[unit]) * 100) / 100
  const both = (of, to) => ({
    value: ratio(of, to),
    byCpu: ratio(of, to, "cpuMs"),
    byMin: ratio(of, to, "wallMsMin"),
  })
  const peaks = rows.filter(({ tool }) => tool === "bm").map(({ peakRssMb }) => peakRssMb)
  return [
    { name: "no change ÷ unison", max: 1.5, ...both(row("no change", "bm"), row("no change", "unison")) },
    { name: "dry run ÷ no change", max: 1.1, ...both(row("dry run", "bm"), row("no change", "bm")) },
    { name: "bm --help ÷ node", max: 2, ...both(row("start", "bm"), row("start", "node")) },
    { name: "peak RSS of bm, MB", max: RSS_MB_MAX, value: Math.max(...peaks) },
    { name: "first sync ÷ unison", ...both(row("first sync", "bm"), row("first sync", "unison")) },
    { name: "1 % changed ÷ no change", max: 1.5, ...both(row("1 % changed", "bm"), row("no change", "bm")) },
  ].map((target) => ({
    ...target,
    isMet: target.max === undefined || target.value === undefined ? undefined : target.value <= target.max,
  }))
}

export function tableOf({ rows, targets, missing, verified, loadBefore, loadAfter }) {
  const lines = [["workload", "tool", "runs", "median ms", "min ms", "CPU ms", "peak MB"]]
  for (const { workload, tool, runs, wallMs, wallMsMin, cpuMs, peakRssMb } of rows)
    lines.push([workload, tool, runs, wallMs, wallMsMin, cpuMs ?? "-", peakRssMb].map(String))
  for (const { tool, why } of missing) lines.push(["(all)", tool, "-", why])
  const judged = targets.map(({ name, value, byCpu, byMin, max, isMet }) => {
    const also = byCpu === undefined ? "" : ` (CPU ${byCpu}, fastest ${byMin})`
    const limit =
      max === undefined
        ? ""
        : `, target ≤ ${max}: ${isMet === undefined ? "not measured" : isMet ? "met" : "NOT MET"}`
    return `${name}: ${value ?? "not measured"}${also}${limit}`
  })
  const load = `load ${loadBefore} before, ${loadAfter} after; ${verified} trees compared by hash, all equal`
  return [...aligned(lines), "", ...judged, "", load].join("\n")
}

function aligned(lines) {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)))
  return lines.map((line) =>
    line
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join("  ")
      .trimEnd(),
  )
}

function rounded(number) {
  return number === undefined || !Number.isFinite(number) ? undefined : Math.round(number * 10) / 10
}
