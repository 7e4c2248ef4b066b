// Preloaded into the real process: every few calls it swaps a directory for a link to another, and a few calls later back,
// in the middle of what the process does. BM_TEST_SWAP=DIRECTORY:OTHER
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"

const [directory, other] = (process.env.BM_TEST_SWAP ?? "").split(":")
const { lstatSync, renameSync, symlinkSync, unlinkSync } = fs
const WATCHED = ["openSync", "mkdirSync", "linkSync", "renameSync", "unlinkSync", "lstatSync"]
const SWAPPED_CALLS = 5
const WHOLE_CALLS = 23
let left = WHOLE_CALLS
let isSwapped = false

function swap() {
  if (lstatSync(directory, { throwIfNoEntry: false }) === undefined) return
  if (isSwapped) {
    unlinkSync(directory)
    renameSync(`${directory}-kept`, directory)
  } else {
    renameSync(directory, `${directory}-kept`)
    symlinkSync(other, directory)
  }
  isSwapped = !isSwapped
}

for (const name of WATCHED) {
  const call = fs[name]
  fs[name] = (...args) => {
    left -= 1
    if (left === 0) {
      swap()
      left = isSwapped ? SWAPPED_CALLS : WHOLE_CALLS
    }
    return call.apply(fs, args)
  }
}
syncBuiltinESMExports()
process.on("exit", () => {
  if (isSwapped) swap()
})
