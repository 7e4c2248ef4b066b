/**
 * The lease as a model: devices that put flags, list them and write without conditions to one object.
 *
 * Every rule of time and every decision is the program's own (`lease-rules.ts`). Time goes in steps of 2½ minutes. What
 * a device sends may land at any time later, or never; only a write that has not landed five minutes after its sending
 * never does. Devices crash, and their clocks lie: a machine sleeps, somebody sets the time back. How often each of these
 * happens in all is limited, which device it happens to is not.
 */

import { type Moment } from "../../src/model/elapsed.ts"
import { isDead, mayRenewAt, mayTakeAway, mayWriteAt, type Sighting } from "../../src/backend/lease-rules.ts"
import type { Protocol } from "../protocol/model.ts"

export interface Rules {
  readonly mayWriteAt: typeof mayWriteAt
  readonly mayRenewAt: typeof mayRenewAt
  readonly mayTakeAway: typeof mayTakeAway
  readonly isDead: (sighting: Sighting) => boolean
  readonly startsClock: "at_sending" | "at_answer"
  readonly order: "put_then_list" | "list_then_put"
  readonly names: "one_per_acquisition" | "one_per_device"
}

export const RULES: Rules = {
  mayWriteAt,
  mayRenewAt,
  mayTakeAway,
  isDead,
  startsClock: "at_sending",
  order: "put_then_list",
  names: "one_per_acquisition",
}

export interface Size {
  readonly devices: number
  /** In all: each is used up by whoever comes first. */
  readonly acquisitions: number
  readonly renewals: number
  readonly writes: number
  readonly lies: number
  /** By whose clock a flag is found dead: the storage's (then a look is judged as it was made), or each observer's. */
  readonly ages: "storage" | "observer"
}

const STEP_MS = 150_000
/** Steps until a write has landed or never will; the most that any rule looks at. */
const LANDS_WITHIN = 2
const OLDEST = 4
const OLDEST_SENT = 2

/** Steps by both clocks since a moment. */
interface Since {
  readonly monotonic: number
  readonly wall: number
}

interface Device {
  readonly at: "idle" | "putting" | "listing" | "holding"
  /** Which of its flags is up now. */
  readonly flag: number
  /** Since the last confirmed put was sent, and since the put was sent that is not answered yet. */
  readonly sent?: Since
  readonly asked?: Since
  readonly isAskedLanded: boolean
  /** The version a look before the write showed. */
  readonly saw?: number
  readonly look?: Look
  /** What this process has seen of others' flags, by name. */
  readonly seen: readonly Seen[]
  readonly flags: readonly Flag[]
  readonly puts: readonly number[]
  readonly removes: readonly number[]
  readonly writes: readonly { readonly saw: number; readonly age: number }[]
  /** The object as it is now was written by this device. */
  readonly isAuthor: boolean
}

interface Flag {
  readonly flag: number
  /** Changes with every put. */
  readonly token: number
  /** By the storage's clock. */
  readonly age: number
}

interface Seen {
  readonly name: string
  readonly token: number
  /** By this observer's monotonic clock, since the answer that showed it first. */
  readonly since: number
}

/** A listing under way: what it will show, once the storage has looked. */
interface Look {
  /** By the observer's monotonic clock, since it was sent. */
  readonly since: number
  readonly shows?: readonly { readonly name: string; readonly token: number }[]
}

export interface State {
  readonly devices: readonly Device[]
  readonly version: number
  readonly left: Pick<Size, "acquisitions" | "renewals" | "writes" | "lies">
  readonly lost?: string
}

type Step = readonly [string, State]

const NOW: Since = { monotonic: 0, wall: 0 }
const IDLE: Device = {
  at: "idle",
  flag: 0,
  isAskedLanded: false,
  isAuthor: false,
  seen: [],
  flags: [],
  puts: [],
  removes: [],
  writes: [],
}

export function leaseProtocol(rules: Rules, size: Size): Protocol<State> {
  const { acquisitions, renewals, writes, lies } = size
  return {
    start: {
      devices: Array.from({ length: size.devices }, () => IDLE),
      version: 0,
      left: { acquisitions, renewals, writes, lies },
    },
    *steps(state) {
      // Nobody can replace anything any more.
      if (state.left.writes === 0 && state.devices.every(({ writes: underWay }) => underWay.length === 0))
        return
      for (const [index, device] of state.devices.entries()) {
        const at = { state, index, device, rules, size }
        yield* acquireSteps(at)
        yield* holdSteps(at)
        yield* arrivals(at)
      }
      yield ["time passes", later(state, undefined)]
      if (state.left.lies > 0)
        for (const [index, device] of state.devices.entries()) yield* lieSteps(state, index, device)
    },
    violation: ({ lost }) => lost,
    simplest: (state) => simplest(state, rules, size),
    name: nameOf,
  }
}

interface At {
  readonly state: State
  readonly index: number
  readonly device: Device
  readonly rules: Rules
  readonly size: Size
}

function become({ state, index, device }: At, next: Partial<Device>): State {
  return replaced(state, index, { ...device, ...next })
}

function replaced(state: State, index: number, device: Device): State {
  return { ...state, devices: state.devices.map((each, at) => (at === index ? device : each)) }
}

function spend(state: State, what: keyof State["left"]): State {
  return { ...state, left: { ...state.left, [what]: state.left[what] - 1 } }
}

/** What a process forgets when it ends; what it sent and put stays. */
function ended({ sent: _sent, asked: _asked, saw: _saw, look: _look, ...device }: Device): Device {
  return { ...device, at: "idle", isAskedLanded: false }
}

/**
 * Puts a flag; when that is confirmed, lists. Where the storage's clock tells how old flags are, the look is judged as it
 * was made: an answer that comes late is a device that does nothing for a while, and one that shows another's flag is
 * the end, however late.
 */
function* acquireSteps(at: At): Iterable<Step> {
  const { state, index, device, rules, size } = at
  switch (device.at) {
    case "idle": {
      if (state.left.acquisitions === 0) return
      const begun = spend(state, "acquisitions")
      if (rules.order === "list_then_put" && seesYoung(at)) return
      const flag = rules.names === "one_per_device" ? 1 : device.flag + 1
      const next = { ...device, flag, puts: [...device.puts, flag], asked: NOW, isAskedLanded: false }
      yield ["puts a flag", replaced(begun, index, { ...next, at: "putting" })]
      return
    }
    case "putting": {
      yield ["gives up its flag", replaced(state, index, takenAway(ended(device)))]
      if (!device.isAskedLanded) return
      const put = confirmed(at)
      if (put === undefined) return
      if (rules.order === "list_then_put") yield ["holds", replaced(state, index, { ...put, at: "holding" })]
      else if (size.ages === "observer")
        yield ["lists", replaced(state, index, { ...put, at: "listing", look: { since: 0 } })]
      else if (seesYoung(at)) yield ["sees another's flag", replaced(state, index, takenAway(ended(put)))]
      else yield ["holds", replaced(state, index, { ...put, at: "holding" })]
      return
    }
    case "listing":
      yield* lookSteps(at)
      yield ["crashes", replaced(state, index, { ...ended(device), seen: [] })]
      return
    case "holding":
      return
  }
}

function takenAway(device: Device): Device {
  return { ...device, removes: [...device.removes, device.flag] }
}

/** A put is confirmed: its sending (or, without that rule, its answer) is what counts, unless it took too long. */
function confirmed({ device, rules }: At): Device | undefined {
  const { asked = NOW, ...rest } = device
  const sent = rules.startsClock === "at_answer" ? NOW : asked
  return rules.mayWriteAt(momentOf(sent), momentOf(NOW)) ? { ...rest, sent, isAskedLanded: false } : undefined
}

function seesYoung({ state, index, rules }: At): boolean {
  return state.devices.some(
    ({ flags }, other) =>
      other !== index &&
      flags.some(
        ({ age }) =>
          !rules.isDead({
            isSameAsBefore: false,
            firstSeenMs: 0,
            lookedMs: 0,
            tookMs: 0,
            ageMs: age * STEP_MS,
          }),
      ),
  )
}

function* lookSteps(at: At): Iterable<Step> {
  const { state, index, device, rules } = at
  const { look } = device
  if (look === undefined) return
  if (look.shows === undefined) {
    const shows = state.devices.flatMap((each, other) =>
      other === index ? [] : each.flags.map(({ flag, token }) => ({ name: `${other}.${flag}`, token })),
    )
    yield ["the flags are looked at", become(at, { look: { ...look, shows } })]
    return
  }
  const known = look.shows.map((shown) => ({
    shown,
    before: device.seen.find(({ name, token }) => name === shown.name && token === shown.token),
  }))
  const isRival = known.some(
    ({ before }) =>
      !rules.isDead({
        isSameAsBefore: before !== undefined,
        firstSeenMs: -(before?.since ?? 0) * STEP_MS,
        lookedMs: -look.since * STEP_MS,
        tookMs: look.since * STEP_MS,
      }),
  )
  const { look: _, ...rest } = device
  const next = { ...rest, seen: known.map(({ shown, before }) => before ?? { ...shown, since: 0 }) }
  yield isRival
    ? ["sees another's flag", replaced(state, index, takenAway(ended(next)))]
    : ["holds", replaced(state, index, { ...next, at: "holding" })]
}

function* holdSteps(at: At): Iterable<Step> {
  const { state, index, device, rules } = at
  const { sent } = device
  if (device.at !== "holding" || sent === undefined) return
  yield ["crashes", replaced(state, index, { ...ended(device), seen: [] })]
  if (rules.mayTakeAway({ unanswered: device.writes.length }))
    yield ["releases", replaced(state, index, takenAway(ended(device)))]
  // One that took too long is void, and then this device only waits to crash.
  const renewed = device.isAskedLanded ? confirmed(at) : undefined
  if (renewed !== undefined) yield ["is told of its renewal", replaced(state, index, renewed)]
  if (
    device.asked === undefined &&
    state.left.renewals > 0 &&
    rules.mayRenewAt(momentOf(sent), momentOf(NOW))
  )
    yield [
      "renews",
      spend(
        become(at, { asked: NOW, isAskedLanded: false, puts: [...device.puts, device.flag] }),
        "renewals",
      ),
    ]
  if (state.left.writes === 0) return
  const { saw } = device
  if (saw === undefined) {
    yield ["looks at the note", become(at, { saw: state.version })]
    return
  }
  if (!rules.mayWriteAt(momentOf(sent), momentOf(NOW))) return
  const { saw: _, ...rest } = device
  yield [
    "writes",
    spend(replaced(state, index, { ...rest, writes: [...device.writes, { saw, age: 0 }] }), "writes"),
  ]
}

function* arrivals(at: At): Iterable<Step> {
  const { state, index, device, size } = at
  for (const [which, flag] of device.puts.entries()) {
    const puts = device.puts.filter((_, each) => each !== which)
    const others = device.flags.filter((each) => each.flag !== flag)
    const before = device.flags.find((each) => each.flag === flag)?.token ?? 0
    const token = size.ages === "storage" ? 0 : before + 1
    // Equal puts under way are one to whoever waits: the answer may be that of the older.
    const isAskedLanded = device.asked !== undefined && flag === device.flag && !puts.includes(flag)
    yield [
      "a flag goes up",
      become(at, {
        puts,
        isAskedLanded: device.isAskedLanded || isAskedLanded,
        flags: [...others, { flag, token, age: 0 }],
      }),
    ]
  }
  for (const [which, flag] of device.removes.entries())
    yield [
      "a flag goes down",
      become(at, {
        removes: device.removes.filter((_, each) => each !== which),
        flags: device.flags.filter((each) => each.flag !== flag),
      }),
    ]
  for (const [which, write] of device.writes.entries()) {
    const isLoss = write.saw !== state.version && !device.isAuthor
    const writes = device.writes.filter((_, each) => each !== which)
    yield [
      "a write lands",
      {
        ...state,
        version: state.version + 1,
        devices: state.devices.map((each, other) =>
          other === index ? { ...device, writes, isAuthor: true } : { ...each, isAuthor: false },
        ),
        ...(isLoss && { lost: `version ${state.version} was acknowledged, and replaced unseen` }),
      },
    ]
  }
}

function momentOf(since: Since): Moment {
  // Moments are told backwards from now, so that only what has passed is part of a state.
  return { monotonicMs: -since.monotonic * STEP_MS, wallMs: -since.wall * STEP_MS }
}

function capped(steps: number): number {
  return Math.min(steps, OLDEST)
}

/** A machine that sleeps has its monotonic clock stand still. */
function later(state: State, sleeper: number | undefined): State {
  return {
    ...state,
    devices: state.devices.map((device, index) => {
      const runs = index === sleeper ? 0 : 1
      const pass = ({ monotonic, wall }: Since): Since => ({
        monotonic: Math.min(monotonic + runs, OLDEST_SENT),
        wall: Math.min(wall + 1, OLDEST_SENT),
      })
      const { sent, asked, look } = device
      return {
        ...device,
        ...(sent !== undefined && { sent: pass(sent) }),
        ...(asked !== undefined && { asked: pass(asked) }),
        ...(look !== undefined && { look: { ...look, since: capped(look.since + runs) } }),
        seen: device.seen.map((each) => ({ ...each, since: capped(each.since + runs) })),
        flags: device.flags.map((each) => ({ ...each, age: capped(each.age + 1) })),
        writes: device.writes
          .map((each) => ({ ...each, age: each.age + 1 }))
          .filter(({ age }) => age <= LANDS_WITHIN),
      }
    }),
  }
}

function* lieSteps(state: State, index: number, device: Device): Iterable<Step> {
  const { sent, asked } = device
  if (sent === undefined && asked === undefined) return
  const lied = spend(state, "lies")
  let slept = lied
  for (let steps = 1; steps <= OLDEST; steps++) {
    slept = later(slept, index)
    yield ["sleeps", slept]
  }
  const back = ({ monotonic, wall }: Since): Since => ({ monotonic, wall: wall - 2 })
  yield [
    "sets the time back",
    replaced(lied, index, {
      ...device,
      ...(sent !== undefined && { sent: back(sent) }),
      ...(asked !== undefined && { asked: back(asked) }),
    }),
  ]
}

/**
 * Leaves out what can only keep others from going on: where each acquisition has a flag of its own, that is the flag of
 * one that is over and has no write under way, a put of it that comes late, and the time until it is taken away. Fewer
 * flags are more orders. The order of devices makes no difference where nobody remembers whom he saw.
 */
function simplest(state: State, rules: Rules, { ages }: Size): State {
  const isOver = state.left.writes === 0
  const devices = state.devices.map((each) => {
    const useful = canGoOn(each, state, rules) ? each : ended(each)
    const { saw, ...rest } = useful
    const device = isOver || saw === undefined ? rest : useful
    if (rules.names === "one_per_device") return device
    const flags = device.flags.filter(
      ({ flag, age }) =>
        !device.removes.includes(flag) &&
        (ages === "observer" || age < OLDEST) &&
        ((flag === device.flag && device.at !== "idle") || device.writes.length > 0),
    )
    const puts = device.puts.filter((flag) => device.at !== "idle" && flag === device.flag)
    const isBare = device.at === "idle" && flags.length === 0
    return { ...device, flag: isBare && ages === "storage" ? 0 : device.flag, flags, puts, removes: [] }
  })
  if (ages === "observer") return { ...state, devices }
  const sorted = devices
    .map((device) => ({ device, text: deviceName(device) }))
    .sort((a, b) => (a.text < b.text ? -1 : 1))
  return { ...state, devices: sorted.map(({ device }) => device) }
}

/** A device whose time is over, with nothing under way that could give it more, has only its end before it. */
function canGoOn({ at, sent, asked }: Device, { left }: State, rules: Rules): boolean {
  if (left.lies > 0) return true
  const inTime = (since: Since): boolean =>
    rules.mayWriteAt(momentOf(since), momentOf(NOW)) || rules.mayRenewAt(momentOf(since), momentOf(NOW))
  if (asked !== undefined && (rules.startsClock === "at_answer" || inTime(asked))) return true
  return at === "idle" || (sent !== undefined && inTime(sent))
}

function nameOf({ devices, version, left, lost }: State): string {
  const { acquisitions, renewals, writes, lies } = left
  return `${devices.map(deviceName).join(" ")} ${version} ${acquisitions},${renewals},${writes},${lies} ${lost ?? ""}`
}

function deviceName(device: Device): string {
  const since = (at: Since | undefined): string => (at === undefined ? "" : `${at.monotonic},${at.wall}`)
  const { at, flag, sent, asked, isAskedLanded, saw, look, seen, flags, puts, removes, writes, isAuthor } =
    device
  const shows = look?.shows?.map(({ name, token }) => `${name}:${token}`).join("&")
  return [
    at.slice(0, 3) + flag,
    since(sent),
    since(asked) + (isAskedLanded ? "!" : ""),
    saw ?? "",
    look === undefined ? "" : `${look.since}?${shows ?? "-"}`,
    seen.map((each) => `${each.name}:${each.token}@${each.since}`).join("&"),
    flags
      .map((each) => `${each.flag}:${each.token}@${each.age}`)
      .sort()
      .join("&"),
    [...puts].sort().join("&"),
    [...removes].sort().join("&"),
    writes
      .map((each) => `${each.saw}@${each.age}`)
      .sort()
      .join("&"),
    isAuthor ? "a" : "",
  ].join("/")
}
