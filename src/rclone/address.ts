/** URLs of rclone remotes: `rclone:name:path`, where the name stands in rclone.conf. PURE. */

import { err, ok, type Result } from "../model/result.ts"

export interface RcloneAddress {
  readonly name: string
  /** Below the root of the remote; empty for all of it. */
  readonly path: string
  /** In its normal form. */
  readonly url: string
}

/** What rclone itself takes for a name. Anything else before the colon would be an expression that it evaluates. */
const NAME = /^[\p{L}\p{N}_+@.]+(?:[ -]+[\p{L}\p{N}_+@.-]+)*$/u

export function parseRcloneUrl(text: string): Result<RcloneAddress, string> {
  const [, rest = ""] = /^rclone:(.*)$/s.exec(text) ?? []
  const colon = rest.indexOf(":")
  const name = rest.slice(0, Math.max(colon, 0))
  if (colon < 0 || !NAME.test(name))
    return err(
      `${text} is not a remote: write rclone:name:path with a name of your rclone.conf (see: rclone listremotes); settings inside of the name are not taken`,
    )
  const path = rest.slice(colon + 1)
  // oxlint-disable-next-line no-control-regex -- these are what no path may hold
  if (/[\u0000-\u001f\u007f\]]|(?:^|\/)\.\.?(?:\/|$)/.test(path))
    return err(`${text} is not a remote: its path has control characters, ], . or ..`)
  const normal = path.replace(/\/+/g, "/").replace(/(?<=.)\/$/, "")
  return ok({ name, path: normal, url: `rclone:${name}:${normal}` })
}
