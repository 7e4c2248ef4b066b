/**
 * Where our own files lie below a root: temporary files, replaced files, the marker, the epoch.
 *
 * `tmp/<device>/<op>` holds bytes that are on their way in. `trash/<device>/<op>/<path>` holds what was replaced or
 * deleted, in case an editor still writes to it; once its operation is finished the directory is `<op>.done`.
 */

import type { DeviceId, OpId } from "../model/ids.ts"
import { CONTROL_DIRECTORY } from "../model/path.ts"

export const TEMP_DIRECTORY = `${CONTROL_DIRECTORY}/tmp`
export const TRASH_DIRECTORY = `${CONTROL_DIRECTORY}/trash`
export const MARKER_FILE = `${CONTROL_DIRECTORY}/root.json`
export const EPOCH_FILE = `${CONTROL_DIRECTORY}/bisync/epoch.json`
export const EPOCH_DIRECTORY = `${CONTROL_DIRECTORY}/bisync/epoch`
export const RETIRED_SUFFIX = ".done"

export function tempPath(device: DeviceId, op: OpId): string {
  return `${TEMP_DIRECTORY}/${device}/${op}`
}

export function trashPath(device: DeviceId, op: OpId): string {
  return `${TRASH_DIRECTORY}/${device}/${op}`
}

export function asidePath(device: DeviceId, op: OpId, path: string): string {
  return `${trashPath(device, op)}/${path}`
}
