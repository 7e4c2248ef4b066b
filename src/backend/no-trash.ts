/** For storages where an object is replaced in one step, so that nothing is ever put aside. */

import type { Backend } from "../model/ports.ts"
import { err, ok } from "../model/result.ts"

export const NO_TRASH: Pick<Backend, "asides" | "retireAside" | "dropAside" | "restoreAside" | "readAside"> =
  {
    asides: async () => ok([]),
    retireAside: async () => undefined,
    dropAside: async () => ok("gone"),
    restoreAside: async () => ok(undefined),
    readAside: async ({ path }) => err({ code: "not_found", path }),
  }
