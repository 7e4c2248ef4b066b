/**
 * The tombstone protocol as a model: one key, deleters and writers, requests that travel as long as they like.
 *
 * Every rule of time and every decision is the program's own (`tombstone-rules.ts`), so that taking one out here is
 * taking it out there. Ages count in steps of 30 seconds, and no further than they matter: while a DELETE can still
 * arrive, the tombstone that stands is younger than 90 seconds, so between that and the ten minutes nothing differs.
 * A deleter's clocks may lie once in each attempt: the machine sleeps, or somebody sets the time.
 */

import { type Moment } from "../../src/model/elapsed.ts"
import {
  EXPIRES_IN_S,
  isAbandonedAfter,
  isSameTombstone,
  mayStillSend,
  mayTakeOver,
} from "../../src/store/tombstone-rules.ts"
import type { Protocol } from "../protocol/model.ts"

export interface Rules {
  readonly mayStillSend: typeof mayStillSend
  readonly startsClock: "at_sending" | "at_answer"
  readonly isAbandonedAfter: (ageMs: number) => boolean
  readonly mayTakeOver: typeof mayTakeOver
  readonly isSameTombstone: typeof isSameTombstone
  /** How long after it was signed the server takes a DELETE. */
  readonly expiresMs: number
  readonly isTombstoneABase: boolean
}

export const RULES: Rules = {
  mayStillSend,
  startsClock: "at_sending",
  isAbandonedAfter: (ageMs) => isAbandonedAfter(ageMs, { refusesLate: true }),
  mayTakeOver,
  isSameTombstone,
  expiresMs: EXPIRES_IN_S * 1000,
  isTombstoneABase: false,
}

export interface Size {
  readonly deleters: number
  readonly writers: number
  /** Tombstones that each deleter puts, crashes in between. */
  readonly attempts: number
}

const STEP_MS = 30_000
const AGED_MS = 90_000
const ANCIENT_MS = 21 * 60_000

/** What the key holds: "" is nothing, "base" and "w…" are notes, "t<deleter>.<attempt>" is a tombstone. */
interface Key {
  readonly holds: string
  readonly ageMs: number
}

interface Deleter {
  readonly at: "looking" | "putting" | "answered" | "journaled" | "done"
  /** Its clocks now, when the clock of this attempt started at zero. */
  readonly clock: Moment
  readonly hasLied: boolean
  /** Its newest tombstone stood; whether it knows is another matter. */
  readonly hasLanded: boolean
  readonly attempts: number
  /** `delete.sent` stands in the journal for its newest tombstone. */
  readonly isSent: boolean
}

/** A PUT names what it expects; the DELETE has an age, and expects nothing. */
type Request =
  | { readonly kind: "tombstone"; readonly puts: string; readonly expects: string }
  | { readonly kind: "write"; readonly puts: string; readonly expects: string }
  | { readonly kind: "delete"; readonly ageMs: number }

export interface State {
  readonly key: Key
  readonly deleters: readonly Deleter[]
  readonly writersLeft: number
  readonly requests: readonly Request[]
  readonly lost?: string
}

const ZERO: Moment = { monotonicMs: 0, wallMs: 0 }
/** What is left of an attempt that ended: what it journaled. */
const IDLE = { at: "looking", clock: ZERO, hasLied: false, hasLanded: false } as const

export function tombstoneProtocol(rules: Rules, size: Size): Protocol<State> {
  const idle: Deleter = {
    at: "looking",
    clock: ZERO,
    hasLied: false,
    hasLanded: false,
    attempts: 0,
    isSent: false,
  }
  return {
    start: {
      key: { holds: "base", ageMs: 0 },
      deleters: Array.from({ length: size.deleters }, () => idle),
      writersLeft: size.writers,
      requests: [],
    },
    *steps(state) {
      for (const [index, deleter] of state.deleters.entries()) {
        yield* deleterSteps({ state, index, deleter }, rules, size)
        yield* lies(state, index, deleter)
      }
      yield* writerSteps(state, rules)
      // A request that is lost is one that never stops travelling.
      for (const [index, request] of state.requests.entries()) {
        const rest = { ...state, requests: state.requests.filter((_, at) => at !== index) }
        yield* arrive(rest, request)
      }
      yield ["half a minute passes", later(state, STEP_MS)]
      yield ["more than the longest wait passes", later(state, ANCIENT_MS)]
    },
    simplest: (state) => simplest(state, rules, size),
    violation: ({ lost }) => lost,
    name: nameOf,
  }
}

interface At {
  readonly state: State
  readonly index: number
  readonly deleter: Deleter
}

type Step = readonly [string, State]

function become({ state, index, deleter }: At, next: Partial<Deleter>, request?: Request): State {
  return {
    ...state,
    deleters: state.deleters.map((each, at) => (at === index ? { ...deleter, ...next } : each)),
    requests: request === undefined ? state.requests : [...state.requests, request],
  }
}

function* deleterSteps(at: At, rules: Rules, size: Size): Iterable<Step> {
  const { state, index, deleter } = at
  const { key } = state
  switch (deleter.at) {
    case "looking": {
      if (deleter.attempts >= size.attempts) return
      const isTombstone = key.holds.startsWith("t")
      const isOwn = key.holds === tombOf(index, deleter.attempts)
      const isAbandoned = rules.isAbandonedAfter(key.ageMs)
      const may = isTombstone
        ? rules.mayTakeOver({ isOwn, isSent: deleter.isSent, isAbandoned })
        : key.holds === "base"
      if (!may) return
      const attempts = deleter.attempts + 1
      const puts = tombOf(index, attempts)
      yield [
        isTombstone ? (isOwn ? "takes over its own" : "takes over another's") : "puts a tombstone",
        become(
          at,
          { at: "putting", clock: ZERO, hasLied: false, hasLanded: false, attempts, isSent: false },
          { kind: "tombstone", puts, expects: key.holds },
        ),
      ]
      return
    }
    case "putting":
      yield* putAnswers(at, rules)
      break
    case "answered":
      yield rules.mayStillSend(ZERO, deleter.clock)
        ? ["journals delete.sent", become(at, { at: "journaled", isSent: true })]
        : ["leaves it", become(at, IDLE)]
      break
    case "journaled":
      yield rules.mayStillSend(ZERO, deleter.clock)
        ? ["sends DELETE", become(at, { ...IDLE, at: "done" }, { kind: "delete", ageMs: 0 })]
        : ["leaves it after all", become(at, IDLE)]
      break
    case "done":
      break
  }
  yield ["crashes", become(at, IDLE)]
}

/** How the PUT of a tombstone is answered: it landed, whatever happened since; or it was refused, and a look tells. */
function* putAnswers(at: At, rules: Rules): Iterable<Step> {
  const { state, index, deleter } = at
  const puts = tombOf(index, deleter.attempts)
  if (state.requests.some((each) => each.kind === "tombstone" && each.puts === puts)) return
  const mine = markOf(puts)
  const isMine = mine !== undefined && rules.isSameTombstone(markOf(state.key.holds), mine)
  const clock = rules.startsClock === "at_answer" ? ZERO : deleter.clock
  yield deleter.hasLanded || isMine
    ? ["is told that it stands", become(at, { at: "answered", clock, hasLanded: false })]
    : ["is told that it does not", become(at, IDLE)]
}

/** The operation is the deleter's, also when it takes over its own; the nonce is the attempt's. */
function markOf(holds: string): { readonly op: string; readonly nonce: string } | undefined {
  const [op = "", nonce = ""] = holds.split(".")
  return op.startsWith("t") ? { op, nonce } : undefined
}

function tombOf(index: number, attempt: number): string {
  return `t${index}.${attempt}`
}

/** One lie in an attempt: the machine sleeps, or somebody sets the time back by as much as hides the most. */
function* lies(state: State, index: number, deleter: Deleter): Iterable<Step> {
  if (deleter.hasLied || deleter.at === "looking" || deleter.at === "done") return
  const { monotonicMs, wallMs } = deleter.clock
  const lie = (from: State, clock: Moment): State => ({
    ...from,
    deleters: from.deleters.map((each, at) => (at === index ? { ...deleter, clock, hasLied: true } : each)),
  })
  yield ["sleeps long", lie(later(state, ANCIENT_MS), { monotonicMs, wallMs: STEP_MS })]
  yield ["sets the time back", lie(state, { monotonicMs, wallMs: wallMs - STEP_MS })]
}

/** A writer conditions its write on what it saw. */
function* writerSteps(state: State, rules: Rules): Iterable<Step> {
  const { key, writersLeft } = state
  if (writersLeft === 0 || (key.holds.startsWith("t") && !rules.isTombstoneABase)) return
  const request: Request = { kind: "write", puts: `w${writersLeft}`, expects: key.holds }
  yield [
    key.holds === "" ? "writes anew" : "writes over a note",
    { ...state, writersLeft: writersLeft - 1, requests: [...state.requests, request] },
  ]
}

function* arrive(state: State, request: Request): Iterable<Step> {
  const { key } = state
  switch (request.kind) {
    case "tombstone":
    case "write": {
      // 409: another request is at the key, and this one comes to nothing.
      yield ["a PUT is turned away", state]
      if (key.holds !== request.expects) return
      const { puts } = request
      yield [`a ${request.kind} lands`, landed({ ...state, key: { holds: puts, ageMs: 0 } }, puts)]
      return
    }
    case "delete": {
      const isNote = key.holds !== "" && !key.holds.startsWith("t")
      const step = isNote ? "a DELETE meets a note" : key.holds === "" ? "a DELETE meets nothing" : "removes"
      yield [
        step,
        {
          ...state,
          key: { holds: "", ageMs: 0 },
          ...(isNote && { lost: `${key.holds} was acknowledged and is gone` }),
        },
      ]
    }
  }
}

/** A deleter that crashed and began anew does not wait for the answer of its older attempt. */
function landed(state: State, puts: string): State {
  return {
    ...state,
    deleters: state.deleters.map((each, at) =>
      each.at === "putting" && tombOf(at, each.attempts) === puts ? { ...each, hasLanded: true } : each,
    ),
  }
}

function capped(ms: number): number {
  return Math.min(ms, STEP_MS)
}

function older(ageMs: number, byMs: number): number {
  return byMs === ANCIENT_MS || ageMs === ANCIENT_MS ? ANCIENT_MS : Math.min(ageMs + byMs, AGED_MS)
}

function later(state: State, byMs: number): State {
  const { key } = state
  return {
    ...state,
    key: key.holds.startsWith("t") ? { ...key, ageMs: older(key.ageMs, byMs) } : key,
    deleters: state.deleters.map((each) => {
      if (each.at === "looking" || each.at === "done") return each
      const { monotonicMs, wallMs } = each.clock
      return { ...each, clock: { monotonicMs: capped(monotonicMs + byMs), wallMs: capped(wallMs + byMs) } }
    }),
    requests: state.requests.map((each) =>
      each.kind === "delete" ? { ...each, ageMs: older(each.ageMs, byMs) } : each,
    ),
  }
}

/**
 * Leaves out what can make no difference any more: a PUT whose expected version is gone for ever, a DELETE that the
 * server refuses by now, a deleter that has no attempt left. (That a PUT is refused later is its answer being late.)
 */
function simplest(state: State, rules: Rules, size: Size): State {
  const { key } = state
  return {
    ...state,
    deleters: state.deleters.map((each, index) => ({
      ...each,
      at: each.at === "looking" && each.attempts >= size.attempts ? "done" : each.at,
      isSent: each.isSent && key.holds === tombOf(index, each.attempts),
    })),
    requests: state.requests.filter((each) =>
      each.kind === "delete"
        ? each.ageMs <= rules.expiresMs
        : each.expects === "" || each.expects === key.holds,
    ),
  }
}

function nameOf({ key, deleters, writersLeft, requests, lost }: State): string {
  const who = deleters.map(
    ({ at, clock, hasLied, hasLanded, attempts, isSent }) =>
      `${at.slice(0, 2)}${clock.monotonicMs / STEP_MS},${clock.wallMs / STEP_MS}${hasLied ? "l" : ""}${hasLanded ? "h" : ""}${attempts}${isSent ? "s" : ""}`,
  )
  // Requests have no order among themselves.
  const travelling = requests
    .map((each) => (each.kind === "delete" ? `d${each.ageMs / STEP_MS}` : `${each.puts}>${each.expects}`))
    .sort()
  return `${key.holds}@${key.ageMs / STEP_MS} ${who.join(" ")} ${writersLeft} ${travelling.join(" ")}${lost ?? ""}`
}
