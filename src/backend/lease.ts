/**
 * A lease by flags: one device writes at a time, on remotes that cannot keep a condition.
 *
 * Each acquisition has a flag of its own, which no other device ever removes. It is put first, and then the others are
 * looked for; whoever sees a live one takes its own away and waits, the lower device id a little less. A flag whose
 * writes may still be under way is left to die by itself. The rules are in `lease-rules.ts`; the test that tries every
 * order of three devices uses the same.
 */

import type { Trouble } from "../model/errors.ts"
import type { DeviceId } from "../model/ids.ts"
import type { Random } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { elapsedMs, type Moment } from "../model/elapsed.ts"
import {
  flagName,
  isDead,
  isFlagOf,
  isRenewalDue,
  mayRenewAt,
  mayStartAt,
  mayTakeAway,
  mayWriteAt,
} from "./lease-rules.ts"

export interface FlagStore {
  put(name: string, content: string): Promise<Result<void, Trouble>>
  /** All but one, of which everything is known. */
  list(options: { readonly except: string }): Promise<Result<readonly Flag[], Trouble>>
  remove(name: string): Promise<Result<void, Trouble>>
}

export interface Flag {
  readonly name: string
  /** Changes with every put. */
  readonly content: string
  /** By the storage's own clock, where it has one. */
  readonly ageMs?: number
}

export interface LeaseDeps {
  readonly flags: FlagStore
  readonly device: DeviceId
  readonly deviceName: string
  readonly monotonicMs: () => number
  readonly wallMs: () => number
  readonly random: Random
  readonly sleep: (ms: number) => Promise<void>
  /**
   * Outlives this process. `flag`: the flags that this device put last. `sightings`: flags of others, and since when they
   * are the same by the monotonic clock of this machine; after a restart of the machine they only look younger.
   */
  readonly memory: {
    read(name: "flag" | "sightings"): string | undefined
    write(name: "flag" | "sightings", text: string): void
  }
}

export interface Lease {
  /** Waits for other devices up to `waitMsMax`; `onWait` is told once who holds it. */
  acquire(options: {
    readonly waitMsMax: number
    readonly onWait: (holder: string) => void
    /** A listing of a moment ago showed no flag. */
    readonly isClear?: boolean
  }): Promise<Result<void, Trouble>>
  /** Before every write. Renews what is two minutes old; `lease_lost` where others may write by now. */
  mayWrite(): Promise<Result<void, Trouble>>
  /** A write was sent and nobody can say whether it lands: the flag then outlives its release, and dies by itself. */
  unanswered(): void
  release(): Promise<void>
  isHeld(): boolean
}

const WAIT_MS = 1500
const WAIT_LOWER_MS = 500
/** Flags of ours that are known again: the one that stands, and those whose fate was unknown. */
const REMEMBERED_MAX = 16

/** One life of a lease. */
interface Life {
  isHeld: boolean
  /** The flag of this acquisition. */
  name: string
  /** When its last confirmed renewal was sent. */
  sentAt: Moment | undefined
  /** Writes that were let through, and those of them that got no answer. */
  allowed: number
  unanswered: number
  renewing: Promise<Result<void, Trouble>> | undefined
  readonly seen: Map<string, Seen>
}

interface Seen {
  readonly content: string
  readonly sinceMs: number
}

export function lease(deps: LeaseDeps): Lease {
  const life: Life = {
    isHeld: false,
    name: "",
    sentAt: undefined,
    allowed: 0,
    unanswered: 0,
    renewing: undefined,
    seen: readSightings(deps),
  }
  return {
    acquire: (options) => acquire(deps, life, options),
    mayWrite: () => mayWrite(deps, life),
    unanswered() {
      life.unanswered += 1
    },
    async release() {
      if (!life.isHeld) return
      life.isHeld = false
      // A renewal that lands after this would put the flag back.
      await life.renewing
      if (mayTakeAway(life)) await deps.flags.remove(life.name)
    },
    isHeld: () => life.isHeld,
  }
}

async function acquire(
  deps: LeaseDeps,
  life: Life,
  { waitMsMax, onWait, isClear = false }: Parameters<Lease["acquire"]>[0],
): Promise<Result<void, Trouble>> {
  const { device, random, sleep } = deps
  if (life.isHeld && isInTime(deps, life)) return ok(undefined)
  const untilMs = deps.monotonicMs() + waitMsMax
  for (let isTold = false; ; ) {
    const tried = await tryOnce(deps, life, { looksFirst: isTold || !isClear })
    if (tried.kind !== "held_by") return tried.kind === "ours" ? ok(undefined) : err(tried.trouble)
    const { flag } = tried
    const holder = isFlagOf(device, flag.name) ? "a copy of this device" : nameIn(flag)
    if (deps.monotonicMs() >= untilMs) return err({ code: "lease_held", path: "", detail: holder })
    if (!isTold) onWait(holder)
    isTold = true
    const share = Number.parseInt(random.hex128().slice(0, 8), 16) / 0xffff_ffff
    await sleep((device < flag.name ? WAIT_LOWER_MS : WAIT_MS) * (0.5 + share))
  }
}

type Tried =
  | { readonly kind: "ours" }
  | { readonly kind: "held_by"; readonly flag: Flag }
  | { readonly kind: "failed"; readonly trouble: Trouble }

/** Looks, puts the flag, looks again. The first look spares others a flag that would be taken away at once. */
async function tryOnce(
  deps: LeaseDeps,
  life: Life,
  { looksFirst }: { readonly looksFirst: boolean },
): Promise<Tried> {
  const before = looksFirst ? await rival(deps, life) : ok(undefined)
  if (!before.ok) return { kind: "failed", trouble: before.error }
  if (before.value !== undefined) return { kind: "held_by", flag: before.value }
  life.isHeld = false
  life.name = flagName(deps.device, deps.random.hex128().slice(0, 16))
  life.sentAt = undefined
  life.allowed = 0
  life.unanswered = 0
  const raised = await raise(deps, life)
  // What has to be seen by the others was there before this look began.
  const after = raised.ok ? await rival(deps, life) : raised
  if (after.ok && after.value === undefined && isInTime(deps, life)) {
    life.isHeld = true
    return { kind: "ours" }
  }
  await deps.flags.remove(life.name)
  if (!after.ok) return { kind: "failed", trouble: after.error }
  return after.value === undefined
    ? { kind: "failed", trouble: LOST }
    : { kind: "held_by", flag: after.value }
}

async function mayWrite(deps: LeaseDeps, life: Life): Promise<Result<void, Trouble>> {
  if (!life.isHeld || life.sentAt === undefined) return err(LOST)
  if (isInTime(deps, life) && isRenewalDue(life.sentAt, momentOf(deps))) {
    life.renewing ??= renew(deps, life).finally(() => {
      life.renewing = undefined
    })
    // One that failed matters only if the last one is too old by now.
    const renewed = await life.renewing
    if (!renewed.ok && renewed.error.code === "lease_lost") return lost(deps, life)
  }
  if (!life.isHeld) return err(LOST)
  if (!mayStartAt(life.sentAt, momentOf(deps))) return lost(deps, life)
  life.allowed += 1
  return ok(undefined)
}

const LOST: Trouble = { code: "lease_lost", path: "" }

/** Other lanes may be writing: only a flag under which nothing was written is taken away. */
async function lost(deps: LeaseDeps, life: Life): Promise<Result<never, Trouble>> {
  if (life.isHeld) {
    life.isHeld = false
    if (mayTakeAway({ unanswered: life.allowed })) await deps.flags.remove(life.name)
  }
  return err(LOST)
}

async function renew(deps: LeaseDeps, life: Life): Promise<Result<void, Trouble>> {
  const other = await rival(deps, life)
  if (!other.ok) return other
  if (other.value !== undefined || !life.isHeld) return err(LOST)
  // The look may have taken long.
  if (life.sentAt === undefined || !mayRenewAt(life.sentAt, momentOf(deps))) return err(LOST)
  return raise(deps, life)
}

async function raise(deps: LeaseDeps, life: Life): Promise<Result<void, Trouble>> {
  const content = contentOf(deps)
  // Known before it is there: after a crash in between it is ours all the same.
  deps.memory.write("flag", [...rememberedBy(deps), content].slice(-REMEMBERED_MAX).join("\n"))
  const at = momentOf(deps)
  const put = await deps.flags.put(life.name, content)
  if (!put.ok) return put
  // A confirmation that took this long confirms nothing: others may have given us up meanwhile.
  if (!mayWriteAt(at, momentOf(deps))) return err(LOST)
  life.sentAt = at
  return ok(undefined)
}

/**
 * Another device that may be writing, or may be about to. A flag with our name that we did not put is a copy's.
 *
 * One of ours from an older life does not stop us, but it keeps the others out for as long as what it sent may land;
 * it is taken away when it is dead.
 */
async function rival(deps: LeaseDeps, life: Life): Promise<Result<Flag | undefined, Trouble>> {
  const lookedAt = momentOf(deps)
  const listed = await deps.flags.list({ except: life.name })
  if (!listed.ok) return listed
  const now = momentOf(deps)
  const known = rememberedBy(deps)
  let found: Flag | undefined
  for (const flag of listed.value) {
    const { name, content, ageMs } = flag
    const before = life.seen.get(name)
    const isSameAsBefore = before?.content === content
    if (!isSameAsBefore) life.seen.set(name, { content, sinceMs: now.monotonicMs })
    const isOurs = isFlagOf(deps.device, name) && known.includes(content.trimEnd())
    const isGone = isDead({
      isSameAsBefore,
      firstSeenMs: before?.sinceMs ?? now.monotonicMs,
      lookedMs: lookedAt.monotonicMs,
      tookMs: elapsedMs(lookedAt, now),
      ...(ageMs !== undefined && { ageMs }),
    })
    if (isOurs && isGone) await deps.flags.remove(name)
    if (!isOurs && !isGone) found ??= flag
  }
  if (listed.value.some(({ ageMs }) => ageMs === undefined)) keepSightings(deps, life, listed.value)
  return ok(found)
}

/** Where the storage tells no ages, a run is too short to see a flag die: what it saw counts for the next one. */
function keepSightings({ memory }: LeaseDeps, { seen }: Life, flags: readonly Flag[]): void {
  const standing = flags.flatMap(({ name }) => {
    const at = seen.get(name)
    return at === undefined ? [] : [[name, at] as const]
  })
  memory.write("sightings", JSON.stringify(Object.fromEntries(standing)))
}

function readSightings({ memory, monotonicMs }: LeaseDeps): Life["seen"] {
  const nowMs = monotonicMs()
  const seen = new Map<string, Seen>()
  for (const [name, value] of Object.entries(parsed(memory.read("sightings") ?? "{}"))) {
    if (typeof value !== "object" || value === null || !("content" in value) || !("sinceMs" in value))
      continue
    const { content, sinceMs } = value
    // Later than now is a time of before the machine was started.
    if (typeof content === "string" && typeof sinceMs === "number" && sinceMs <= nowMs)
      seen.set(name, { content, sinceMs })
  }
  return seen
}

function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? value : {}
  } catch {
    return {}
  }
}

function isInTime(deps: LeaseDeps, { sentAt }: Life): boolean {
  return sentAt !== undefined && mayWriteAt(sentAt, momentOf(deps))
}

function momentOf({ monotonicMs, wallMs }: LeaseDeps): Moment {
  return { monotonicMs: monotonicMs(), wallMs: wallMs() }
}

function rememberedBy({ memory }: LeaseDeps): readonly string[] {
  return (memory.read("flag") ?? "").split("\n").filter((line) => line !== "")
}

/** Unique with every put, so that a flag that is renewed is never taken for one that is not. */
function contentOf({ device, deviceName, random }: LeaseDeps): string {
  return JSON.stringify({ schema: "bm.lease/1", device, name: deviceName, nonce: random.hex128() })
}

function nameIn({ name, content }: Flag): string {
  const value = parsed(content)
  return "name" in value && typeof value.name === "string" ? value.name : name
}
