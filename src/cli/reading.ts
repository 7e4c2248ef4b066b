/** What commands that only look back pass to the engine: who asks, and what is said while another run is waited for. */

import type { BmCommand } from "./command.ts"
import type { Output } from "./output.ts"

export function readingOptions(
  { context }: BmCommand,
  output: Output,
): { readonly holder: BmCommand["context"]["holder"]; readonly onWait: () => void } {
  return {
    holder: context.holder,
    onWait: () => output.note("Waiting for the sync that is running (up to 10 s)"),
  }
}
