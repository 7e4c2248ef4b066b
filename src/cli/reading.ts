/** What is said while another run or another device is waited for, and who asks. */

import type { BmCommand } from "./command.ts"
import { escapeForTerminal } from "./format.ts"
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

/** A lease lasts as long as another device's run: it is waited for a minute, and then given up. */
export function sayLeaseWait(output: Output): (holder: string) => void {
  return (holder) =>
    output.note(`Waiting for ${escapeForTerminal(holder)}, which is writing to the cloud (up to 60 s)`)
}
