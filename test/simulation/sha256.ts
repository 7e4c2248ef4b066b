/** The hash that the worlds of the simulation use. */

import { createHash } from "node:crypto"
import { mustContentHash, type Sha256 } from "../../src/model/ids.ts"

export const sha256: Sha256 = (content) =>
  mustContentHash(`sha256:${createHash("sha256").update(content).digest("hex")}`)
