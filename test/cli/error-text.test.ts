/** What errors say of names that somebody else chose: nothing in them may act on a terminal. */

import { expect, test } from "vitest"
import { describeError } from "../../src/cli/error-text.ts"
import type { SyncError } from "../../src/index.ts"

const HOSTILE = "/notes/\u001b]0;mine\u0007\u202e\n/.bmignore"

test.each<{ readonly rule: string; readonly error: SyncError }>([
  {
    rule: "a file that cannot be used is named without its control characters",
    error: { code: "config_unreadable", file: HOSTILE, why: "\u001b[31mit is a directory" },
  },
  {
    rule: "so is a directory that is a mount",
    error: { code: "mount_dir", dir: HOSTILE },
  },
])("$rule", ({ error }) => {
  const { message } = describeError(error)
  expect(message).toContain("/notes/")
  expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/)
})
