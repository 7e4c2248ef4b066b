/** The remote in memory is the reference that every other backend is held to; it must keep the contract itself. */

import { emptyBucket, type MemoryDeps, memoryBackend, putObject } from "../../src/backend/memory.ts"
import { comparePaths, mustPath } from "../../src/model/path.ts"
import { backendContract } from "./contract.ts"
import { mortality, MTIME_MS, sha256, type Storage } from "./storage.ts"

function openBucket(): Storage {
  const bucket = emptyBucket()
  let isGone = false
  return {
    start() {
      const { dieAfter, tick } = mortality()
      const deps: MemoryDeps = {
        bucket,
        sha256,
        nowMs: () => MTIME_MS,
        async tick(_call, path) {
          tick()
          return isGone ? { code: "unreachable", path } : undefined
        },
      }
      return { backend: memoryBackend(deps), dieAfter }
    },
    write(path, text, mtimeMs = MTIME_MS - 1000) {
      putObject({ bucket }, mustPath(path), { bytes: Buffer.from(text), mtimeMs })
    },
    remove(path) {
      bucket.objects.delete(mustPath(path))
    },
    tree: () =>
      new Map(
        [...bucket.objects]
          .map(([path, { bytes }]) => [path, Buffer.from(bytes).toString()] as const)
          .sort(([a], [b]) => comparePaths(a, b)),
      ),
    // What is staged for a bucket never leaves the device.
    staged: () => [],
    vanish() {
      isGone = true
    },
    close: () => {},
  }
}

backendContract("a bucket in memory", openBucket)
