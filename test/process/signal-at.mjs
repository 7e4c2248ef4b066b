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

function count(before) {
  calls += 1
  if (calls !== killAt) return
  before?.()
  process.kill(process.pid, signal)
}

for (const name of CHANGING) {
  const call = fs[name]
  fs[name] = (...args) => {
    const [handle, content] = args
    if (name === "closeSync" && !isWritten.delete(handle)) return call.apply(fs, args)
    if (name === "writeSync" || name === "write") isWritten.add(handle)
    const isTorn = name === "writeSync" && signal === "SIGKILL" && content.length > 1
    count(isTorn ? () => original.writeSync(handle, content.slice(0, content.length >> 1)) : undefined)
    return call.apply(fs, args)
  }
  // `util.promisify` finds the promised form of some functions here.
  for (const symbol of Object.getOwnPropertySymbols(call)) fs[name][symbol] = call[symbol]
}
for (const name of ["link", "rename", "unlink", "mkdir", "rm", "writeFile"]) {
  const call = fs.promises[name]
  fs.promises[name] = (...args) => {
    count()
    return call.apply(fs.promises, args)
  }
}
const opened = await fs.promises.open(process.execPath)
const handles = Object.getPrototypeOf(opened)
await opened.close()
for (const name of ["write", "writev", "writeFile", "sync", "datasync"]) {
  const call = handles[name]
  handles[name] = function (...args) {
    count()
    return call.apply(this, args)
  }
}
syncBuiltinESMExports()
if (countTo !== undefined) process.on("exit", () => original.writeFileSync(countTo, String(calls)))
