/**
 * Watches that no step of ours takes away the last copy of anything (G1), and that no file at a user's path is ever
 * partial (G7).
 *
 * Every write has content of its own, so a version is named by its bytes. A version is *owed* from the moment it is at
 * a user's path; only an edit by a user that takes its last copy ends that. Copies in `tmp/` do not count: nobody can
 * find them there.
 */

import { createHash } from "node:crypto"

/** Every file of every side, our own included; and every version in any history store. */
export interface Places {
  files(): Iterable<readonly [path: string, bytes: Uint8Array]>
  kept(): Iterable<Uint8Array>
}

export class Violation extends Error {}

const CONTROL = ".basic-memory/"
const TEMP = `${CONTROL}tmp/`
const TRASH = `${CONTROL}trash/`

export class Oracle {
  readonly #places: Places
  #written = new Set<string>()
  #owed = new Set<string>()

  constructor(places: Places, copied?: Oracle) {
    this.#places = places
    if (copied === undefined) return
    this.#owed = new Set(copied.#owed)
    this.#written = new Set(copied.#written)
  }

  /** Whatever a user does goes through here. */
  user(edit: () => void): void {
    const before = this.#look()
    edit()
    const after = this.#look()
    const { visible, aside, found } = after
    for (const content of this.#owed) if (!found.has(content)) this.#owed.delete(content)
    // A file with a second name in the trash, which we were about to take away: the user removed that file.
    for (const bytes of before.files) {
      const name = nameOf(bytes)
      if (!after.files.has(bytes) && !visible.has(name) && !after.kept.has(name)) this.#owed.delete(name)
    }
    // An editor that has a replaced file still open writes into the trash.
    for (const content of [...visible, ...[...aside].filter((name) => !before.aside.has(name))]) {
      this.#owed.add(content)
      this.#written.add(content)
    }
  }

  /** After a step of ours. */
  check(step: string): void {
    const { visible, found } = this.#look()
    for (const content of visible)
      if (!this.#written.has(content)) throw new Violation(`a partial file after ${step}: ${content}`)
    for (const content of this.#owed)
      if (!found.has(content)) throw new Violation(`lost ${content} by ${step}`)
  }

  #look(): { readonly [Where in "visible" | "aside" | "kept" | "found"]: ReadonlySet<string> } & {
    readonly files: ReadonlySet<Uint8Array>
  } {
    const files = new Set<Uint8Array>()
    const kept = new Set<string>()
    const visible = new Set<string>()
    const aside = new Set<string>()
    const found = new Set<string>()
    for (const [path, bytes] of this.#places.files()) {
      const isOurs = path.startsWith(CONTROL)
      if (isOurs && !path.startsWith(TRASH)) continue
      const name = nameOf(bytes)
      found.add(name)
      if (isOurs) aside.add(name)
      else {
        visible.add(name)
        files.add(bytes)
      }
    }
    for (const bytes of this.#places.kept()) {
      kept.add(nameOf(bytes))
      found.add(nameOf(bytes))
    }
    return { visible, aside, kept, found, files }
  }
}

const names = new WeakMap<Uint8Array, string>()

/** The bytes of a small file are its name; they are never changed in place. */
export function nameOf(bytes: Uint8Array): string {
  const known = names.get(bytes)
  if (known !== undefined) return known
  const text =
    bytes.length <= 64
      ? Buffer.from(bytes).toString("latin1")
      : createHash("sha1").update(bytes).digest("hex")
  names.set(bytes, text)
  return text
}

export { TEMP, TRASH }
