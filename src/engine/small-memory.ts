/**
 * Small texts that a remote's backend remembers beside the journal: its epoch as it was last read, the flag of its lease.
 *
 * Losing one costs a request or a wait, never a note; so they are replaced in one step and not made durable.
 */

import { join } from "node:path"
import type { ObjectDeps } from "../backend/object.ts"
import { readIfThere, writePrivate } from "./config.ts"

type Memory = ObjectDeps["memory"]
type Name = Parameters<Memory["read"]>[0]

export interface SmallMemory {
  readonly memory: Memory
  /** What was remembered before there was a place for it goes there too. */
  readonly keepIn: (directory: string) => void
}

export function smallMemory(known: string | undefined): SmallMemory {
  const unkept = new Map<Name, string>()
  let directory = known
  const write = (name: Name, text: string) => {
    if (directory === undefined) unkept.set(name, text)
    else writePrivate(fileOf(directory, name), text, { isDurable: false })
  }
  return {
    memory: {
      read: (name) => (directory === undefined ? unkept.get(name) : readIfThere(fileOf(directory, name))),
      write,
    },
    keepIn(chosen) {
      directory = chosen
      for (const [name, text] of unkept) write(name, text)
      unkept.clear()
    },
  }
}

function fileOf(directory: string, name: Name): string {
  return join(directory, `remote-${name}`)
}
