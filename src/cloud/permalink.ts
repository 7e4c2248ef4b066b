/**
 * The permalink of a name: what the cloud calls a project, or a note, in its URLs. Pure.
 *
 * The cloud makes its own from the same name, so this follows the rules of its existing client to the letter: Chinese
 * characters stay, every other letter becomes ASCII (Japanese and Korean syllables too), wide forms vanish.
 */

import { asciiOf, hasSpelling } from "./transliterate.ts"

declare const permalink: unique symbol
/** Never empty, and one segment of a URL: what a project can be asked for by. */
export type ProjectPermalink = string & { readonly [permalink]: true }

/** Ideographs, their first extension, and the punctuation that goes with them. */
const CJK = "\\u3000-\\u303f\\u3400-\\u4dbf\\u4e00-\\u9fff"
const IS_CJK = new RegExp(`[${CJK}]`)
const IS_WIDE_FORM = /[\uff00-\uffef]/
const CJK_THEN_LATIN = new RegExp(`([${CJK}])([a-zA-Z0-9])`, "g")
const LATIN_THEN_CJK = new RegExp(`([a-zA-Z0-9])([${CJK}])`, "g")
const UNSAFE = new RegExp(`[^a-z0-9${CJK}/-]`, "g")

/** Empty where nothing of the name is left. */
export function permalinkOf(name: string): string {
  return [...withoutExtension(name.normalize("NFC"))]
    .map((character) => (isKept(character) ? character : isLeftOut(character) ? "" : asciiOf(character)))
    .join("")
    .replace(CJK_THEN_LATIN, "$1-$2")
    .replace(LATIN_THEN_CJK, "$1-$2")
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase()
    .replaceAll("_", "-")
    .replaceAll("'", "")
    .replace(UNSAFE, "-")
    .replace(/-+/g, "-")
    .split("/")
    .map((segment) => segment.replace(/^-|-$/g, ""))
    .join("/")
}

/**
 * `undefined` where a name has no permalink that a project can be asked for by, as `!!!` and `½`, or where it has
 * letters that the cloud spells and we do not: a wrong permalink would ask for another project.
 */
export function projectPermalinkOf(name: string): ProjectPermalink | undefined {
  const isKnown = [...name.normalize("NFC")].every(
    (each) => isKept(each) || isLeftOut(each) || hasSpelling(each),
  )
  return isKnown ? parseProjectPermalink(permalinkOf(name)) : undefined
}

function isKept(character: string): boolean {
  return IS_CJK.test(character)
}

function isLeftOut(character: string): boolean {
  return IS_WIDE_FORM.test(character)
}

/** For text that somebody wrote down: exactly what `permalinkOf` could have made of a directory's name. */
export function parseProjectPermalink(text: string): ProjectPermalink | undefined {
  const isWhole = text !== "" && !text.includes("/") && text.search(UNSAFE) === -1
  const isTrim = !text.startsWith("-") && !text.endsWith("-") && !text.includes("--")
  return isWhole && isTrim ? (text as ProjectPermalink) : undefined
}

/** Only a dot that anything but dots stands before, in the last segment, begins an extension. */
function withoutExtension(path: string): string {
  const start = path.lastIndexOf("/") + 1
  const dot = path.lastIndexOf(".")
  const hasExtension = dot > start && /[^.]/.test(path.slice(start, dot))
  return hasExtension ? path.slice(0, dot) : path
}
