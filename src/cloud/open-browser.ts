/**
 * Opens a page in the user's browser, by a program and never by a shell: the URI is one argument, and is `https:`, or
 * `http:` on this machine. That nothing opens is no failure, for the user sees where to go.
 */

import { spawn } from "node:child_process"
import { join } from "node:path/win32"
import { safeHref } from "./safe-url.ts"

export interface BrowserCommand {
  readonly command: string
  readonly args: readonly string[]
}

export interface Desktop {
  readonly platform: NodeJS.Platform
  /** `SystemRoot` of the environment, where Windows lies. */
  readonly windowsRoot?: string | undefined
}

/**
 * `undefined` for what must not be opened. Where a system has one place for the program it is named in full, for
 * Windows looks into the current directory first, where anything may have been synced to.
 */
export function browserCommand(desktop: Desktop, uri: string): BrowserCommand | undefined {
  const href = safeHref(uri)
  if (href === undefined) return undefined
  switch (desktop.platform) {
    case "darwin":
      return { command: "/usr/bin/open", args: [href] }
    case "win32": {
      const root = desktop.windowsRoot ?? "C:\\Windows"
      return { command: join(root, "System32", "rundll32.exe"), args: ["url.dll,FileProtocolHandler", href] }
    }
    default:
      return { command: "xdg-open", args: [href] }
  }
}

/** True where a program was asked to; whether it did is not known. */
export function openBrowser(desktop: Desktop, uri: string): boolean {
  const found = browserCommand(desktop, uri)
  if (found === undefined) return false
  const child = spawn(found.command, [...found.args], { detached: true, stdio: "ignore", shell: false })
  child.on("error", () => {})
  child.unref()
  return true
}
