/** The history store in memory: the contract, and what a crash takes. */

import { expect, test } from "vitest"
import { MemoryHistory } from "../../src/history/memory-history.ts"
import { bytesOf, commitTexts, historyContract, record, value } from "./contract.ts"

historyContract("memory history", async () => new MemoryHistory())

test.each([
  { losesUnfinished: true, rule: "loses what was not finished" },
  { losesUnfinished: false, rule: "may leave versions on the disk that no branch leads to" },
])("a crash $rule", async ({ losesUnfinished }) => {
  const store = new MemoryHistory()
  const head = await record(store, { "a.md": "a" })
  const writer = value(await store.begin())
  const oid = value(await writer.add(bytesOf("b")))
  await commitTexts(writer, { "a.md": "b" })
  store.crash({ losesUnfinished })
  expect(await store.has(oid)).toBe(!losesUnfinished)
  expect(value(await store.head())).toBe(head)
  expect(await writer.finish()).toMatchObject({ ok: false, error: { code: "io", detail: "crashed" } })
  expect(await record(store, { "a.md": "b" })).not.toBe(head)
})

test("every effect is announced before and after", async () => {
  const seen: string[] = []
  const store = new MemoryHistory({ tick: async (what) => void seen.push(what) })
  await record(store, { "a.md": "a" })
  expect(seen).toEqual([
    "history.begin",
    "history.add before",
    "history.add after",
    "history.commit before",
    "history.commit after",
    "history.finish pack before",
    "history.finish branch before",
    "history.finish after",
  ])
})

test("a stop between pack and branch keeps the versions and not the branch", async () => {
  const store = new MemoryHistory({
    tick: async (what) => {
      if (what === "history.finish branch before") throw new Error("stop")
    },
  })
  const writer = value(await store.begin())
  const oid = value(await writer.add(bytesOf("a")))
  await commitTexts(writer, { "a.md": "a" })
  await expect(writer.finish()).rejects.toThrow("stop")
  expect(await store.has(oid)).toBe(true)
  expect(store.commits()).toEqual([])
})

test("commits lists the branch, oldest first", async () => {
  const store = new MemoryHistory()
  await record(store, { "a.md": "1" }, "first")
  await record(store, { "a.md": "2", "b.md": "3" }, "second")
  expect(store.commits().map(({ message, tree }) => [message, [...tree.keys()]])).toEqual([
    ["first", ["a.md"]],
    ["second", ["a.md", "b.md"]],
  ])
})
