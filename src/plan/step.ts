/** Builds the parts of actions: steps with their preconditions, what to keep, what is agreed afterwards. PURE. */

import type { Expected, Keep, Step } from "../model/action.ts"
import type { Base, Version } from "../model/entry.ts"
import type { RelativePath } from "../model/path.ts"
import { otherSide, type Side } from "../model/side.ts"
import type { Agreement } from "../model/state.ts"

export function writeStep(options: {
  readonly path: RelativePath
  readonly targetSide: Side
  readonly version: Version
  readonly sourcePath: RelativePath
  readonly expected: Expected
}): Step {
  const { path, targetSide, version, sourcePath, expected } = options
  return {
    kind: "write",
    side: targetSide,
    path,
    expected,
    source: { kind: "side", side: otherSide(targetSide), path: sourcePath, version },
    sizeBytes: version.sizeBytes,
    mtimeMs: version.mtimeMs,
    ...(version.hash !== undefined && { hash: version.hash }),
  }
}

export function expectedOf(version: Version | undefined): Expected {
  return version === undefined ? { kind: "absent" } : { kind: "version", version }
}

export function keepsOf(side: Side, path: RelativePath, version: Version | undefined): readonly Keep[] {
  return version === undefined ? [] : [{ side, path, version }]
}

export function agreementOf(path: RelativePath, version: Version | Base): Agreement {
  const { hash, sizeBytes, mtimeMs } = version
  return { path, content: { sizeBytes, mtimeMs, ...(hash !== undefined && { hash }) } }
}
