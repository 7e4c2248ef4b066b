/** Buckets on servers of every tier keep the contract, each in its own way. */

import { backendContract } from "./contract.ts"
import { s3Contract } from "./contract-s3.ts"
import { openMemoryBucket, SERVER_KINDS } from "./s3-storage.ts"

for (const [name, kind] of Object.entries(SERVER_KINDS)) {
  const open = () => openMemoryBucket(kind)
  backendContract(`a bucket of tier ${name}`, open)
  const keepsMetadata = !("traits" in kind) || kind.traits.keepsMetadata
  s3Contract(`a bucket of tier ${name}, as a bucket`, open, { keys: 2500, keepsMetadata })
}
