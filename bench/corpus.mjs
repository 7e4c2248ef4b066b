// The notes that the bench syncs: unpacked from an archive, or made up, always the same ones.
//
// The made-up ones have the sizes and the spread over directories of the 10,001 pages of tldr (4.1 MB, 135 directories).
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"

const FILES = 10_001
/** Bytes of the smallest note, of the one a 32nd of the way up, … of the largest. */
const SIZES = [
  100, 111, 115, 119, 122, 125, 128, 132, 135, 139, 143, 148, 154, 163, 174, 184, 193, 203, 213, 240, 329,
  423, 498, 562, 621, 680, 754, 825, 911, 1021, 1151, 1367, 3402,
]
const LANGUAGES = 27
/** Of each language's notes, how many in 100 are in which directory. */
const DIRECTORIES = { android: 4, common: 62, linux: 24, osx: 6, windows: 4 }
const WORDS = "note sync folder page list show file the a of with command remote local every new only".split(
  " ",
)

/** Fills `directory`; answers what the corpus is, for the record. */
export function unpackCorpus(archive, directory) {
  mkdirSync(directory, { recursive: true })
  if (archive === undefined) return { name: "generated", ...makeUp(directory) }
  execFileSync("tar", ["-xzf", archive, "-C", directory])
  const sha256 = createHash("sha256").update(readFileSync(archive)).digest("hex")
  return { name: basename(archive), sha256 }
}

function makeUp(directory) {
  const random = randomFrom(20260302)
  const spread = Object.entries(DIRECTORIES).flatMap(([name, share]) => Array(share).fill(name))
  for (let number = 0; number < FILES; number++) {
    const language = String(Math.floor(random() ** 2 * LANGUAGES)).padStart(2, "0")
    const place = spread[Math.floor(random() * spread.length)]
    const file = join(directory, `pages.${language}`, place, `note-${number}.md`)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, textOf(number, sizeAt(random()), random))
  }
  return {}
}

function sizeAt(share) {
  const at = share * (SIZES.length - 1)
  const low = SIZES[Math.floor(at)]
  return Math.round(low + (SIZES[Math.ceil(at)] - low) * (at % 1))
}

function textOf(number, size, random) {
  let text = `# note ${number}\n\n`
  while (text.length < size) text += `${WORDS[Math.floor(random() * WORDS.length)]} `
  return `${text.slice(0, size - 1)}\n`
}

/** Mulberry32: small, and the same on every machine. */
export function randomFrom(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
