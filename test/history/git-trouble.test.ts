/** What the world says becomes a stable word; what is our own mistake goes on. */

import { expect, test } from "vitest"
import { attempt } from "../../src/history/git-trouble.ts"
import { ContentLost } from "../../src/model/ports.ts"

test.each([
  ["ENOSPC", "no_space"],
  ["EDQUOT", "no_space"],
  ["EACCES", "no_permission"],
  ["EPERM", "no_permission"],
  ["EROFS", "read_only"],
  ["ENOENT", "not_found"],
  ["EIO", "io"],
  ["EMFILE", "io"],
  ["Z_DATA_ERROR", "hash_mismatch"],
  ["Z_BUF_ERROR", "hash_mismatch"],
])("%s is %s", async (errno, code) => {
  const failed = await attempt("a", () => Promise.reject(Object.assign(new Error("x"), { code: errno })))
  expect(failed).toEqual({ ok: false, error: { code, path: "a", detail: errno } })
})

test("lost content keeps its own trouble", async () => {
  const trouble = { code: "changed_since", path: "b" } as const
  expect(await attempt("a", () => Promise.reject(new ContentLost(trouble)))).toEqual({
    ok: false,
    error: trouble,
  })
})

test.each([new TypeError("x"), Object.assign(new Error("x"), { code: "ERR_INVALID_ARG_TYPE" })])(
  "a mistake of ours is thrown on: %s",
  async (mistake) => {
    await expect(attempt("a", () => Promise.reject(mistake))).rejects.toBe(mistake)
  },
)
