/**
 * The object store on the AWS SDK: real servers, over the network.
 *
 * The SDK signs, sends, and sends again where that changes nothing; what its answers mean is said in `failure.ts`. It
 * is loaded when a store is opened and not before, for it costs more than the rest of this program together.
 */

import type { S3Address } from "./address.ts"
import { openSide, type SideOptions } from "./sdk-client.ts"
import { listPage } from "./sdk-list.ts"
import { objectRequests } from "./sdk-objects.ts"
import { partRequests } from "./sdk-parts.ts"
import { PATIENCE, type Patience } from "./sdk-patience.ts"
import type { ObjectStore, StoreTraits } from "../store/store.ts"

export interface SdkStoreOptions extends Omit<SideOptions, "address" | "patience"> {
  /** Where another than the usual is wanted: tests have less. */
  readonly patience?: Partial<Patience>
}

const TRAITS: StoreTraits = {
  kind: "s3",
  keepsMetadata: true,
  keepsTimes: true,
  canCopy: true,
  foldsCase: false,
  tellsAges: true,
  lanes: 64,
}

/**
 * Opens the store of a bucket; nothing is sent before the first request.
 *
 * Without `credentials` the SDK looks for a key pair by itself: environment, profile, and what else it knows.
 */
export async function openSdkStore(address: S3Address, options: SdkStoreOptions): Promise<ObjectStore> {
  const sdk = await import("@aws-sdk/client-s3")
  const patience = { ...PATIENCE, ...options.patience }
  const side = await openSide(sdk, { ...options, address, patience })
  return {
    traits: TRAITS,
    list: (page) => listPage(side, page),
    ...objectRequests(side),
    ...partRequests(side),
    skewMs: () => side.clock.skewMs,
    close: () => side.client.destroy(),
  }
}
