/** Names a run in the remote's epoch, and remembers the chain as it is then. */

import type { Trouble } from "../model/errors.ts"
import type { EventBody } from "../model/event.ts"
import { err, ok, type Result } from "../model/result.ts"
import type { Ledger } from "./ledger.ts"
import { epochBody } from "./recognise.ts"
import type { World } from "./world.ts"

export async function appendEpoch(
  world: World,
  ledger: Ledger,
  nonce: string,
): Promise<Result<EventBody, Trouble>> {
  const remembered = ledger.state().root.epoch
  if (remembered === undefined) return err({ code: "not_found", path: "epoch" })
  const appended = await world.sides.remote.appendEpoch({
    nonce: `${nonce}.${world.random.hex128().slice(0, 8)}`,
    device: world.device,
  })
  return appended.ok ? ok(epochBody(remembered.id, [...remembered.chain, appended.value])) : appended
}
