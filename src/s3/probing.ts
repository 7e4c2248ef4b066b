/**
 * What the parts of a probe share: the store, our own keys, and how an answer becomes a finding.
 *
 * An answer that says nothing about the server's promises (nobody there, not allowed to ask) ends the whole probe, by
 * being thrown as `Unanswered`; `probe` catches it and nobody else.
 */

import type { Result } from "../model/result.ts"
import type { Body, Condition, Etag, Failure, FailureKind, ObjectStore, Written } from "../store/store.ts"
import type { Finding } from "../store/verdict.ts"

export interface Probing {
  readonly store: ObjectStore
  readonly prefix: string
  /** Keys to be removed at the end. */
  readonly written: Set<string>
  readonly rounds: number
}

/** The server cannot be asked at all: the whole probe ends with this. */
export class Unanswered extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.kind)
    this.failure = failure
  }
}

const UNANSWERED: ReadonlySet<FailureKind> = new Set([
  "unreachable",
  "credentials",
  "expired",
  "denied",
  "no_bucket",
  "clock",
  "busy",
])

export const ABSENT: Condition = { kind: "absent" }
export const match = (etag: Etag): Condition => ({ kind: "match", etag })
/** The etag of nothing that was ever written. */
export const WRONG: Etag = "00000000000000000000000000000000"

export function bytesBody(text: string): Body {
  return { kind: "bytes", bytes: Buffer.from(text) }
}

/** Any answer that is one; a server that cannot be reached, or does not let us, says nothing about its promises. */
export function answered<T>(result: Result<T, Failure>): Result<T, Failure> {
  if (!result.ok && UNANSWERED.has(result.error.kind)) throw new Unanswered(result.error)
  return result
}

/** For what must succeed so that anything can be asked. */
export function must<T>(result: Result<T, Failure>): T {
  if (!result.ok) throw new Unanswered(result.error)
  return result.value
}

export function isRefusal(result: Result<unknown, Failure>): boolean {
  return !result.ok && (result.error.kind === "precondition" || result.error.kind === "not_found")
}

/** A server that says that it does not know how is told from one that does it wrong. */
export function finding(isTrue: boolean, ...answers: readonly Result<unknown, Failure>[]): Finding {
  if (answers.some((each) => !each.ok && each.error.kind === "not_implemented")) return "unsupported"
  return isTrue ? "holds" : "fails"
}

export async function put(
  { store, prefix, written }: Probing,
  name: string,
  text: string,
  condition?: Condition,
): Promise<Result<Written, Failure>> {
  const key = prefix + name
  written.add(key)
  return answered(
    await store.put(key, bytesBody(text), { metadata: {}, ...(condition !== undefined && { condition }) }),
  )
}

export async function textAt({ store, prefix }: Probing, name: string): Promise<string | undefined> {
  const got = answered(await store.get(prefix + name, {}))
  if (!got.ok) return undefined
  const pieces: Uint8Array[] = []
  for await (const piece of got.value.body) pieces.push(piece)
  return Buffer.concat(pieces).toString("utf8")
}

/**
 * Waits for all of them, also where one throws: nothing of ours may still be under way when the probe cleans up.
 */
export async function together<T>(asked: readonly Promise<T>[]): Promise<readonly T[]> {
  const settled = await Promise.allSettled(asked)
  return settled.map((each) => {
    if (each.status === "rejected") throw each.reason
    return each.value
  })
}

/** Questions on different keys do not disturb one another. */
export async function inLanes<T, R>(
  lanes: number,
  subjects: readonly T[],
  ask: (subject: T) => Promise<R>,
): Promise<readonly R[]> {
  const answers: R[] = []
  const waiting = [...subjects.entries()]
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, subject] = next
      try {
        answers[index] = await ask(subject)
      } catch (error) {
        waiting.length = 0
        throw error
      }
    }
  }
  await together(Array.from({ length: Math.min(lanes, subjects.length) }, lane))
  return answers
}
