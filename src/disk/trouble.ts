/** Says what the system said in our words. */

import type { Trouble, TroubleCode } from "../model/errors.ts"
import type { DiskError } from "./disk.ts"

const CODES: ReadonlyMap<string, TroubleCode> = new Map([
  ["ENOENT", "not_found"],
  ["ESTALE", "not_found"],
  ["ENOSPC", "no_space"],
  ["EDQUOT", "no_space"],
  ["EACCES", "no_permission"],
  ["EPERM", "no_permission"],
  ["EROFS", "read_only"],
  ["ELOOP", "in_the_way"],
  ["ENOTDIR", "in_the_way"],
  ["EISDIR", "in_the_way"],
  ["ENOTEMPTY", "in_the_way"],
  ["ENAMETOOLONG", "name_refused"],
  ["EINVAL", "name_refused"],
  ["EXDEV", "unsupported"],
])

export function troubleOf(error: DiskError, path: string = error.path): Trouble {
  return { code: CODES.get(error.errno) ?? "io", path, detail: error.errno }
}
