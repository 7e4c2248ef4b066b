/** `bm cloud login` and `bm cloud logout`: who this device is for the cloud account. */

import { Command, Option } from "clipanion"
import { BmCommand } from "../command.ts"
import { escapeForTerminal } from "../format.ts"
import type { Output } from "../output.ts"

export class LoginCommand extends BmCommand {
  static override paths = [["cloud", "login"]]
  static override usage = Command.Usage({
    category: "Account",
    description: "Log in to the cloud, in a browser",
    details: `
      Shows an address and a code, waits until the login is confirmed there, and keeps the login in a private file. Exit codes: 0
      logged in, 1 failed, 64 wrong usage.
    `,
    examples: [["Log in", "bm cloud login"]],
  })

  host = Option.String("--host", { description: "Another service than the usual one: https://host" })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const { place, isInteractive } = this.context
    const done = await bm.login(place, {
      opensBrowser: isInteractive,
      show: ({ userCode, verificationUri, verificationUriComplete, expiresInS }) => {
        const address = verificationUriComplete ?? verificationUri
        output.line(`Open ${escapeForTerminal(address)}`)
        output.line(
          `and confirm the code ${escapeForTerminal(userCode)} (it holds for ${Math.ceil(expiresInS / 60)} minutes)`,
        )
        output.jsonAside({
          schema: "bm.event/1",
          type: "login.waiting",
          url: address,
          code: userCode,
          expires_in: expiresInS,
        })
      },
      ...(this.host !== undefined && { host: this.host }),
    })
    if (!done.ok) return output.fail(done.error)
    output.line("✓ Logged in. Next: bm cloud bisync-setup")
    output.json({ schema: "bm.login/1", ok: true })
    return 0
  }
}

export class LogoutCommand extends BmCommand {
  static override paths = [["cloud", "logout"]]
  static override usage = Command.Usage({
    category: "Account",
    description: "Forget the login on this device",
    details: "Files, history and the key pair for the storage stay. Exit codes: 0 done, 1 failed.",
    examples: [["Log out", "bm cloud logout"]],
  })

  async run(output: Output): Promise<number> {
    const bm = await import("../../index.ts")
    const was = await bm.logout(this.context.place)
    if (!was.ok) return output.fail(was.error)
    output.line(was.value ? "✓ Logged out" : "You were not logged in")
    output.line("  Your files, their history and the key pair for the storage stay on this device")
    output.json({ schema: "bm.logout/1", ok: true, was_logged_in: was.value })
    return 0
  }
}
