/** The small texts that devices share, read while another device replaces them: seen on servers over a file system. */

import { expect, test } from "vitest"
import { readText } from "../../src/backend/object-text.ts"
import { ContentLost } from "../../src/model/ports.ts"
import { emptyObjects, foreignPut, memoryStore } from "../../src/store/memory-store.ts"

const WHOLE = "{a whole text}"
const KEY = ".basic-memory/bisync/epoch.json"

/** A store whose first answers are what a server shows in the midst of a write. */
function storeThat(first: readonly ("cut" | "half")[]) {
  const bucket = emptyObjects()
  foreignPut(bucket, KEY, Buffer.from(WHOLE))
  const store = memoryStore({ bucket, nowMs: () => 0 })
  const sleeps: number[] = []
  let asked = 0
  async function* half() {
    yield Buffer.from(WHOLE.slice(0, 5))
  }
  async function* cut() {
    yield* half()
    throw new ContentLost({ code: "unreachable", path: KEY })
  }
  const deps = {
    sleep: async (ms: number) => void sleeps.push(ms),
    store: {
      ...store,
      async get(...given: Parameters<typeof store.get>) {
        const got = await store.get(...given)
        const how = first[asked++]
        if (!got.ok || how === undefined) return got
        return { ok: true, value: { ...got.value, body: how === "cut" ? cut() : half() } } as const
      },
    },
  }
  const read = () => readText(deps, { key: KEY, limitBytes: 100, isWhole: (text) => text.endsWith("}") })
  return { read, sleeps }
}

test.each([
  { what: "ends in the middle", first: ["cut"] },
  { what: "shows half of it", first: ["half"] },
  { what: "does both, again and again", first: ["cut", "half", "cut", "half"] },
] as const)("is asked for again where the answer $what", async ({ first }) => {
  const { read, sleeps } = storeThat(first)
  expect(await read()).toMatchObject({ ok: true, value: { text: WHOLE } })
  expect(sleeps).toHaveLength(first.length)
})

test("is trouble where no answer ever comes to its end", async () => {
  const { read } = storeThat(Array.from({ length: 20 }, () => "cut" as const))
  expect(await read()).toEqual({ ok: false, error: { code: "unreachable", path: KEY } })
})

test("is handed out as it is where it never becomes whole, for whoever says what is wrong with it", async () => {
  const { read } = storeThat(Array.from({ length: 20 }, () => "half" as const))
  expect(await read()).toMatchObject({ ok: true, value: { text: WHOLE.slice(0, 5) } })
})
