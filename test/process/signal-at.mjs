// Preloaded into the real process: counts the calls that change a file system, and kills the process at one of them.
// BM_TEST_SIGNAL_AT=N dies right before call N, with half of the bytes written where it is a write. Another signal than
// SIGKILL can be named by BM_TEST_SIGNAL; what follows is up to the program.
// BM_TEST_COUNT_TO=FILE leaves the number of calls there at the end, to know how many there are.
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"

const killAt = Number(process.env.BM_TEST_SIGNAL_AT ?? "0")
const signal = process.env.BM_TEST_SIGNAL ?? "SIGKILL"
const countTo = process.env.BM_TEST_COUNT_TO
const CHANGING = [
  "linkSync",
  "renameSync",
  "unlinkSync",
  "mkdirSync",
  "rmdirSync",
  "rmSync",
  "fsync",
  "fsyncSync",
  "writeSync",
  "write",
  "writeFileSync",
  "futimesSync",
  "closeSync",
]
const original = { writeFileSync: fs.writeFileSync, writeSync: fs.writeSync }
const isWritten = new Set()
let calls = 0

for (const name of CHANGING) {
  const call = fs[name]
  fs[name] = function (...args) {
    if (name === "closeSync" && !isWritten.has(args[0])) return call.apply(fs, args)
    if (name === "writeSync" || name === "write") isWritten.add(args[0])
    if (name === "closeSync") isWritten.delete(args[0])
    calls += 1
    if (calls === killAt) {
      if (name === "writeSync" && args[1].length > 1)
        original.writeSync(args[0], args[1].slice(0, args[1].length >> 1))
      process.kill(process.pid, signal)
    }
    return call.apply(fs, args)
  }
  // `util.promisify` finds the promised form of some functions here.
  for (const symbol of Object.getOwnPropertySymbols(call)) fs[name][symbol] = call[symbol]
}
syncBuiltinESMExports()
if (countTo !== undefined) process.on("exit", () => original.writeFileSync(countTo, String(calls)))
