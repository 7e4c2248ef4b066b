/**
 * The probe finds out what a server does, and never more nor less than it does: every quirk lowers what it must, and
 * nothing else.
 */

import { expect, test } from "vitest"
import type { Failure } from "../../src/store/store.ts"
import {
  emptyObjects,
  foreignPut,
  memoryStore,
  type MemoryObjects,
  type Quirks,
} from "../../src/store/memory-store.ts"
import { probe, type ProbeDeps, PROBE_PREFIX } from "../../src/s3/probe.ts"
import type { ProbePoint, Verdict } from "../../src/store/verdict.ts"

const DAY_MS = 24 * 60 * 60 * 1000
const NOW_MS = 20_000 * DAY_MS

function randomBy(seed: number) {
  let next = seed
  return { hex128: () => (next++).toString(16).padStart(32, "0") }
}

/** Requests that are under way together overtake one another, as they do on a network, and always in the same way. */
function network() {
  let state = 7
  return async (): Promise<undefined> => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    for (let turns = (state >> 16) % 4; turns >= 0; turns--) await new Promise(setImmediate)
    return undefined
  }
}

async function verdictOf(quirks: Partial<Quirks>): Promise<Verdict> {
  const bucket = emptyObjects()
  foreignPut(bucket, "note.md", Buffer.from("a note"))
  bucket.listed = new Map(bucket.objects)
  const tick = network()
  const open: ProbeDeps["open"] = (etagForm) =>
    memoryStore({ bucket, nowMs: () => NOW_MS, quirks, etagForm, tick })
  const probed = await probe({ open, random: randomBy(1) })
  if (!probed.ok) throw new Error(probed.error.kind)
  expect([...bucket.objects.keys()]).toEqual(["note.md"])
  expect(bucket.uploads.size).toBe(0)
  return probed.value
}

interface Row {
  readonly server: string
  readonly quirks: Partial<Quirks>
  /** What does not hold. */
  readonly lost: readonly ProbePoint[]
  /** What is different from the verdict on an ideal server. */
  readonly verdict: Partial<Verdict>
}

const IDEAL_VERDICT: Omit<Verdict, "findings"> = {
  tier: "A",
  etagForm: "quoted",
  completes: true,
  copies: "if_none_match",
  refusesLate: true,
  hasFileBesideDirectory: true,
}

const ONE_QUIRK: readonly Row[] = [
  { server: "an ideal one", quirks: {}, lost: [], verdict: {} },
  {
    server: "one that lets a DELETE race",
    quirks: { deleteRaces: true },
    lost: ["race_delete"],
    verdict: { tier: "B" },
  },
  {
    server: "one that deletes whatever the condition",
    quirks: { ignoresDeleteCondition: true },
    lost: ["delete_wrong", "race_delete"],
    verdict: { tier: "B" },
  },
  {
    server: "one that never deletes by condition",
    quirks: { refusesDeleteCondition: true },
    lost: ["delete_wrong", "race_delete"],
    verdict: { tier: "B" },
  },
  {
    server: "one that replaces whatever the condition",
    quirks: { ignoresPutConditions: true },
    lost: ["create_again", "match_wrong", "match_missing", "race_match", "race_create", "race_delete"],
    verdict: { tier: "C" },
  },
  {
    server: "one that creates what should be replaced",
    quirks: { createsOnMatchMissing: true },
    lost: ["match_missing", "race_delete"],
    verdict: { tier: "C" },
  },
  {
    server: "one that knows no conditions",
    quirks: { lacksConditions: true },
    lost: [
      ...(["create", "create_again", "match_wrong", "match_right", "match_missing"] as const),
      ...([
        "race_match",
        "race_create",
        "delete_wrong",
        "race_delete",
        "complete_stale",
        "copy_absent",
        "copy_parts",
      ] as const),
    ],
    verdict: { tier: "C", completes: false, copies: "none" },
  },
  {
    server: "one that completes whatever the condition",
    quirks: { ignoresCompleteCondition: true },
    lost: ["complete_stale", "copy_parts"],
    verdict: { completes: false },
  },
  {
    server: "one that completes without saying the etag",
    quirks: { emptyCompleteEtag: true },
    lost: [],
    verdict: {},
  },
  {
    server: "one that copies onto what is there",
    quirks: { ignoresCopyCondition: true },
    lost: ["copy_absent"],
    verdict: { copies: "by_parts" },
  },
  {
    server: "one that copies another version than the one that is meant",
    quirks: { ignoresSourceCondition: true },
    lost: ["copy_source", "copy_parts"],
    verdict: { copies: "none" },
  },
  {
    server: "one that wants etags without quotes",
    quirks: { wantsBareEtags: true },
    lost: [],
    verdict: { etagForm: "bare" },
  },
  {
    server: "one over folders",
    quirks: { refusesFileBesideDirectory: true },
    lost: ["file_beside_directory"],
    verdict: { hasFileBesideDirectory: false },
  },
  {
    server: "one that hides keys below a key",
    quirks: { hidesBelowFile: true },
    lost: ["file_beside_directory"],
    verdict: { hasFileBesideDirectory: false },
  },
  {
    server: "one that takes what is late",
    quirks: { acceptsLatePresigned: true },
    lost: ["late_presigned"],
    verdict: { refusesLate: false },
  },
  {
    server: "one that takes nothing presigned, and needs none of it",
    quirks: { refusesPresigned: true },
    lost: ["late_presigned"],
    verdict: { refusesLate: false },
  },
  {
    server: "one whose listings are old",
    quirks: { staleListings: true },
    lost: ["list_after_write", "odd_keys", "file_beside_directory"],
    verdict: { tier: "D", hasFileBesideDirectory: false },
  },
]

/** As the real ones were measured. */
const REAL: readonly Row[] = [
  {
    server: "rclone and versitygw",
    quirks: { deleteRaces: true, refusesFileBesideDirectory: true, ignoresCopyCondition: true },
    lost: ["race_delete", "file_beside_directory", "copy_absent"],
    verdict: { tier: "B", hasFileBesideDirectory: false, copies: "by_parts" },
  },
  {
    server: "MinIO",
    quirks: { ignoresDeleteCondition: true, ignoresCopyCondition: true, hidesBelowFile: true },
    lost: ["delete_wrong", "race_delete", "file_beside_directory", "copy_absent"],
    verdict: { tier: "B", hasFileBesideDirectory: false, copies: "by_parts" },
  },
  {
    server: "Ceph",
    quirks: {
      wantsBareEtags: true,
      emptyCompleteEtag: true,
      ignoresDeleteCondition: true,
      ignoresCompleteCondition: true,
      ignoresCopyCondition: true,
      ignoresSourceCondition: true,
    },
    lost: [
      ...(["delete_wrong", "race_delete", "complete_stale"] as const),
      ...(["copy_source", "copy_absent", "copy_parts"] as const),
    ],
    verdict: { tier: "B", etagForm: "bare", completes: false, copies: "none" },
  },
  {
    server: "one where a tombstone could never be removed",
    quirks: { ignoresDeleteCondition: true, refusesPresigned: true },
    lost: ["delete_wrong", "race_delete", "late_presigned"],
    verdict: { tier: "C", refusesLate: false },
  },
]

test.each([...ONE_QUIRK, ...REAL])("says of $server what it does", async ({ quirks, lost, verdict }) => {
  const { findings, ...found } = await verdictOf(quirks)
  const points = Object.keys(findings) as ProbePoint[]
  expect(points.filter((point) => findings[point] !== "holds").toSorted()).toEqual(lost.toSorted())
  expect(found).toEqual({ ...IDEAL_VERDICT, ...verdict })
})

test("proves nothing by a race that the same side wins every time", async () => {
  const bucket = emptyObjects()
  const store = memoryStore({ bucket, nowMs: () => NOW_MS })
  const probed = await probe({ open: () => store, random: randomBy(1), rounds: 1 })
  expect(probed).toMatchObject({ ok: true, value: { tier: "B", findings: { race_delete: "fails" } } })
})

test("asks again where a server broke under the load, and learns what it wanted to know", async () => {
  const broken: Failure = { kind: "unreachable", detail: "HTTP 500", status: 500 }
  const bucket = emptyObjects()
  let left = 40
  const wait = network()
  const tick = async (request: string, key: string, phase: "before" | "after") => {
    await wait()
    const isHit = request === "PUT" && /race-match-\d-1$/.test(key) && bucket.objects.has(key)
    return isHit && phase === "before" && left-- > 0 ? broken : undefined
  }
  const open = () => memoryStore({ bucket, nowMs: () => NOW_MS, tick })
  const probed = await probe({ open, random: randomBy(1) })
  expect(probed).toMatchObject({ ok: true, value: { tier: "A" } })
})

/** Fails from one request on, or only there. */
async function probeFailing(options: {
  readonly at: number
  readonly failure: Failure
  readonly isLasting: boolean
}): Promise<{ readonly bucket: MemoryObjects; readonly probed: Awaited<ReturnType<typeof probe>> }> {
  const { at, failure, isLasting } = options
  const bucket = emptyObjects()
  foreignPut(bucket, "note.md", Buffer.from("a note"))
  const wait = network()
  let requests = 0
  const tick = async (_: string, __: string, phase: "before" | "after") => {
    await wait()
    if (phase === "before") return undefined
    requests++
    return requests === at || (isLasting && requests > at) ? failure : undefined
  }
  const open = () => memoryStore({ bucket, nowMs: () => NOW_MS, tick })
  return { bucket, probed: await probe({ open, random: randomBy(1), rounds: 8 }) }
}

const CUT: Failure = { kind: "unreachable", detail: "ECONNRESET" }
const REQUESTS_MAX = 1500

test("leaves nothing where one answer is lost, whichever it is", async () => {
  let at = 1
  for (; at < REQUESTS_MAX; at++) {
    const { bucket, probed } = await probeFailing({ at, failure: CUT, isLasting: false })
    if (!probed.ok) expect(probed.error).toEqual(CUT)
    const left = [...bucket.objects.keys()].filter((key) => key !== "note.md")
    // A delete whose answer was lost has happened; one that lists what is left may not have been heard.
    expect(left, `request ${at}`).toEqual([])
    if (probed.ok && at > 1) break
  }
  expect(at).toBeGreaterThan(100)
  expect(at).toBeLessThan(REQUESTS_MAX)
})

test("ends with the server's answer where it cannot be asked any more, and touches nothing but its own", async () => {
  const refused: Failure = { kind: "denied", detail: "AccessDenied" }
  for (let at = 1; at < 400; at += 7) {
    const { bucket, probed } = await probeFailing({ at, failure: refused, isLasting: true })
    expect(probed).toEqual({ ok: false, error: refused })
    expect(bucket.objects.has("note.md")).toBe(true)
    for (const key of bucket.objects.keys())
      expect(key === "note.md" || key.startsWith(PROBE_PREFIX), key).toBe(true)
  }
})

test("leaves nothing outside its own prefix where it dies, and the next one tidies up a day later", async () => {
  const bucket = emptyObjects()
  foreignPut(bucket, "note.md", Buffer.from("a note"), { atMs: NOW_MS })
  let left = 60
  const dying = memoryStore({
    bucket,
    nowMs: () => NOW_MS,
    async tick() {
      if (left-- <= 0) throw new Error("killed")
      return undefined
    },
  })
  await expect(probe({ open: () => dying, random: randomBy(1) })).rejects.toThrow("killed")
  const ours = [...bucket.objects.keys()].filter((key) => key !== "note.md")
  expect(ours.length).toBeGreaterThan(0)
  for (const key of ours) expect(key.startsWith(PROBE_PREFIX)).toBe(true)
  const probeAt = (nowMs: number, seed: number) =>
    probe({ open: () => memoryStore({ bucket, nowMs: () => nowMs }), random: randomBy(seed), rounds: 1 })
  // It may belong to a probe that goes on.
  await probeAt(NOW_MS + DAY_MS / 2, 2)
  expect([...bucket.objects.keys()].filter((key) => key !== "note.md")).toEqual(ours)
  await probeAt(NOW_MS + 2 * DAY_MS, 3)
  expect([...bucket.objects.keys()]).toEqual(["note.md"])
})
