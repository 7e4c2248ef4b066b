/** The probe finds out what a server does, and never more nor less than it does. */

import { expect, test } from "vitest"
import type { Failure } from "../../src/s3/store.ts"
import { emptyObjects, foreignPut, memoryStore, type Quirks } from "../../src/s3/memory-store.ts"
import { probe, PROBE_PREFIX } from "../../src/s3/probe.ts"
import type { Verdict } from "../../src/s3/verdict.ts"

function randomBy(seed: number) {
  let next = seed
  return { hex128: () => (next++).toString(16).padStart(32, "0") }
}

async function verdictOf(quirks: Partial<Quirks>): Promise<Verdict> {
  const bucket = emptyObjects()
  foreignPut(bucket, "note.md", Buffer.from("a note"))
  bucket.listed = new Map(bucket.objects)
  // Requests that are under way together take turns, as they do on a network.
  const tick = async (): Promise<undefined> => {
    await new Promise(setImmediate)
    return undefined
  }
  const open = async (etagForm: Verdict["etagForm"]) =>
    memoryStore({ bucket, nowMs: () => 0, quirks, etagForm, tick })
  const probed = await probe({ open, random: randomBy(1) })
  if (!probed.ok) throw new Error(probed.error.kind)
  expect([...bucket.objects.keys()]).toEqual(["note.md"])
  expect(bucket.uploads.size).toBe(0)
  return probed.value
}

test.each<{ readonly server: string; readonly quirks: Partial<Quirks>; readonly expected: Partial<Verdict> }>(
  [
    {
      server: "an ideal one",
      quirks: {},
      expected: {
        tier: "A",
        etagForm: "quoted",
        completes: true,
        copies: "if_none_match",
        refusesLate: true,
      },
    },
    { server: "one that lets a DELETE race", quirks: { deleteRaces: true }, expected: { tier: "B" } },
    {
      server: "one that deletes whatever the condition",
      quirks: { ignoresDeleteCondition: true },
      expected: { tier: "B", completes: true },
    },
    {
      server: "one that replaces whatever the condition",
      quirks: { ignoresPutConditions: true },
      expected: { tier: "C" },
    },
    {
      server: "one that creates what should be replaced",
      quirks: { createsOnMatchMissing: true },
      expected: { tier: "C" },
    },
    {
      server: "one that completes whatever the condition",
      quirks: { ignoresCompleteCondition: true },
      expected: { tier: "A", completes: false, copies: "if_none_match" },
    },
    {
      server: "one that copies onto what is there",
      quirks: { ignoresCopyCondition: true },
      expected: { tier: "A", copies: "by_parts" },
    },
    {
      server: "one that copies and completes onto what is there",
      quirks: { ignoresCopyCondition: true, ignoresCompleteCondition: true },
      expected: { tier: "A", completes: false, copies: "none" },
    },
    {
      server: "one that wants etags without quotes",
      quirks: { wantsBareEtags: true },
      expected: { tier: "A", etagForm: "bare" },
    },
    {
      server: "one over folders",
      quirks: { refusesFileBesideDirectory: true },
      expected: { tier: "A", hasFileBesideDirectory: false },
    },
    {
      server: "one that takes what is late",
      quirks: { acceptsLatePresigned: true },
      expected: { tier: "A", refusesLate: false },
    },
    { server: "one whose listings are old", quirks: { staleListings: true }, expected: { tier: "D" } },
  ],
)("says of $server what it does", async ({ quirks, expected }) => {
  const ideal = await verdictOf({})
  const { findings: _, ...verdict } = await verdictOf(quirks)
  const { findings: __, ...rest } = ideal
  expect(verdict).toMatchObject(expected)
  const isLowered = expected.tier !== undefined && expected.tier !== "A"
  if (!isLowered) expect(verdict).toEqual({ ...rest, ...expected })
})

test("ends with the server's answer where it cannot be asked, and leaves nothing but keys of its own", async () => {
  const refused: Failure = { kind: "denied", detail: "AccessDenied" }
  for (let requests = 0; requests < 400; requests += 7) {
    const bucket = emptyObjects()
    let left = requests
    const store = memoryStore({
      bucket,
      nowMs: () => 0,
      tick: async (_, __, phase) => (phase === "before" && left-- <= 0 ? refused : undefined),
    })
    const probed = await probe({ open: async () => store, random: randomBy(1), rounds: 2 })
    if (probed.ok) return
    expect(probed.error).toEqual(refused)
    for (const key of bucket.objects.keys()) expect(key.startsWith(PROBE_PREFIX)).toBe(true)
  }
  throw new Error("the probe never ended")
})
