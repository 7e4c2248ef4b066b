// Runs one command and measures it: wall time, processor time and peak memory of the process itself.
//
// GNU time reads what the kernel accounted (wait4). Where it is missing, memory is the highest that a look into
// /proc every few milliseconds saw, and processor time is unknown.
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const GNU_TIME = "/usr/bin/time"
const POLL_MS = 4
const ERROR_CHARS = 2000

export const memoryFrom =
  spawnSync(GNU_TIME, ["-f", "%M", "true"]).status === 0 ? "wait4 (GNU time)" : "/proc, polled"

/** Throws if the command fails: a bench of a failure measures nothing. */
export async function measure([command, ...args], env = {}) {
  const directory = mkdtempSync(join(tmpdir(), "bm-bench-time-"))
  try {
    const report = join(directory, "report")
    const isTimed = memoryFrom !== "/proc, polled"
    const words = isTimed
      ? [GNU_TIME, "-q", "-o", report, "-f", "%M %U %S", command, ...args]
      : [command, ...args]
    const ran = await run(words, { ...process.env, ...env })
    if (!isTimed) return { wallMs: ran.wallMs, peakRssKb: ran.peakRssKb }
    const [peakRssKb, user, system] = readFileSync(report, "utf8").trim().split(" ").map(Number)
    return { wallMs: ran.wallMs, cpuMs: Math.round((user + system) * 1000), peakRssKb }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function run([command, ...args], env) {
  return new Promise((resolve, reject) => {
    const startedNs = process.hrtime.bigint()
    const child = spawn(command, args, { env, stdio: ["ignore", "ignore", "pipe"] })
    let peakRssKb
    let said = ""
    const timer =
      command === GNU_TIME
        ? undefined
        : setInterval(() => (peakRssKb = peakOf(child.pid) ?? peakRssKb), POLL_MS)
    child.stderr.on("data", (text) => (said = `${said}${text}`.slice(-ERROR_CHARS)))
    child.on("error", reject)
    child.on("close", (code) => {
      clearInterval(timer)
      const wallMs = Number(process.hrtime.bigint() - startedNs) / 1e6
      if (code === 0) resolve({ wallMs, peakRssKb })
      else reject(new Error(`${command} ${args.join(" ")} ended with ${code}\n${said}`))
    })
  })
}

function peakOf(pid) {
  try {
    const [, kb] = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
    return kb === undefined ? undefined : Number(kb)
  } catch {
    // It has just ended, or this system has no /proc.
    return undefined
  }
}

export function median(numbers) {
  const sorted = numbers.filter((number) => number !== undefined).sort((a, b) => a - b)
  if (sorted.length === 0) return undefined
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
