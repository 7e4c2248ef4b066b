/**
 * Names: odd characters come back whole, and a key may stand beside keys below it.
 *
 * What a listing shows counts, for a key that it does not show is a file that is gone.
 */

import { answered, finding, type Probing, put, textAt } from "./probing.ts"
import type { Finding } from "../store/verdict.ts"

const ODD = "odd/a b+c&d=e%20f'g\"h#i?j~é\u{1f600}"

export async function probeKeys(
  probing: Probing,
): Promise<Record<"odd_keys" | "file_beside_directory", Finding>> {
  const { store, prefix } = probing
  const odd = await put(probing, ODD, "odd")
  // A listing that cannot be read is this server's answer to the question.
  const listed = answered(await store.list({ prefix: `${prefix}odd/` }))
  const keys = listed.ok ? listed.value.objects.map(({ key }) => key) : []
  const isListed = keys.length === 1 && keys[0] === prefix + ODD
  const isRead = odd.ok && (await textAt(probing, ODD)) === "odd"
  await put(probing, "both", "file")
  const below = await putBelow(probing)
  const both = answered(await store.list({ prefix: `${prefix}both` }))
  const shown = both.ok ? both.value.objects.map(({ key }) => key) : []
  // MinIO takes and gives back the key below, and never lists it: that would be taken for a deletion.
  const areBoth =
    below &&
    shown.includes(`${prefix}both`) &&
    shown.includes(`${prefix}both/below`) &&
    (await textAt(probing, "both")) === "file" &&
    (await textAt(probing, "both/below")) === "below"
  return { odd_keys: finding(isRead && isListed), file_beside_directory: finding(areBoth) }
}

/** A server over folders may answer anything here, also that it broke. */
async function putBelow({ store, prefix, written }: Probing): Promise<boolean> {
  const key = `${prefix}both/below`
  written.add(key)
  const bytes = Buffer.from("below")
  return (await store.put(key, { kind: "bytes", bytes }, { metadata: {} })).ok
}
