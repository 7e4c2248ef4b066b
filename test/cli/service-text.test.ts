/** What `bm sync` says of its service and of its pause, word by word. */

import { describe, expect, test } from "vitest"
import type { ServiceRefusal, ServiceReport } from "../../src/index.ts"
import {
  nextWhilePaused,
  pauseBeginsLine,
  pauseEndsLine,
  pauseJson,
  pauseLines,
  previewNotes,
  resumeJson,
  resumeLines,
  serviceError,
  serviceJson,
  serviceLines,
} from "../../src/cli/service-text.ts"

const HOME = "/home/mira"
const SHOWN = { path: (path: string) => path.replace(HOME, "~"), everyS: 60 }
const INSTALLED: ServiceReport = {
  action: "install",
  manager: "systemd-user",
  file: `${HOME}/.config/systemd/user/basic-memory-sync.service`,
  isDryRun: false,
  isRunning: true,
  isChanged: true,
  linger: { isOn: false, user: "mira" },
  text: "[Unit]\nDescription=x\n",
  unseen: [],
}
const REMOVED: ServiceReport = {
  action: "uninstall",
  manager: "systemd-user",
  file: INSTALLED.file,
  isDryRun: false,
  isRunning: false,
  isChanged: true,
  unseen: [],
}
const MAC: ServiceReport = {
  action: "install",
  manager: "launchd",
  file: `${HOME}/Library/LaunchAgents/com.basicmemory.sync.plist`,
  isDryRun: false,
  isRunning: true,
  isChanged: true,
  logFile: `${HOME}/Library/Logs/basic-memory-sync.log`,
  unseen: [],
}

describe("an installed service", () => {
  test("says where it is, that it ends with the session, and how to remove it", () => {
    expect(serviceLines(INSTALLED, SHOWN)).toEqual([
      "✓ Installed ~/.config/systemd/user/basic-memory-sync.service and started it (every 60s)",
      "! It stops when you log out. Keep it running: loginctl enable-linger mira",
      "  Remove: bm sync --uninstall-service · log: journalctl --user -u basic-memory-sync",
    ])
  })

  test("says nothing of logging out where it goes on, and where that is not known", () => {
    const lingering = { ...INSTALLED, linger: { isOn: true, user: "mira" } }
    expect(serviceLines(lingering, SHOWN)).toHaveLength(2)
    expect(serviceLines(MAC, SHOWN)).toEqual([
      "✓ Installed ~/Library/LaunchAgents/com.basicmemory.sync.plist and started it (every 60s)",
      "  Remove: bm sync --uninstall-service · log: ~/Library/Logs/basic-memory-sync.log",
    ])
  })

  test("says that it was there before, that it does not run, and what it does not see", () => {
    const lines = (changed: Partial<ServiceReport>) => serviceLines({ ...MAC, ...changed }, SHOWN)
    expect(lines({ isChanged: false })[0]).toMatch(/^✓ \S+ is installed and runs already \(every 60s\)$/)
    expect(lines({ isRunning: false })[0]).toMatch(/^! Installed \S+, but it does not run/)
    expect(lines({ unseen: ["AWS_ACCESS_KEY_ID"] })[1]).toMatch(/^! It does not see AWS_ACCESS_KEY_ID/)
  })

  test("is one document with the promised fields", () => {
    expect(serviceJson(INSTALLED, SHOWN)).toEqual({
      schema: "bm.service/1",
      ok: true,
      action: "install",
      manager: "systemd-user",
      file: "~/.config/systemd/user/basic-memory-sync.service",
      running: true,
      linger: false,
      changed: true,
      unseen: [],
    })
    expect(serviceJson(MAC, SHOWN)).toMatchObject({ manager: "launchd", linger: null })
    const { linger: _, ...unknown } = INSTALLED
    expect(serviceJson(unknown, SHOWN)).not.toHaveProperty("linger")
  })
})

describe("a removed service", () => {
  test("says what was removed, or that there was nothing", () => {
    expect(serviceLines(REMOVED, SHOWN)).toEqual([
      "✓ Stopped the service and removed ~/.config/systemd/user/basic-memory-sync.service",
    ])
    expect(serviceLines({ ...REMOVED, isChanged: false }, SHOWN)).toEqual(["No service is installed"])
  })

  test("is one document with the promised fields", () => {
    expect(serviceJson(REMOVED, SHOWN)).toMatchObject({
      action: "uninstall",
      running: false,
      linger: null,
      changed: true,
    })
  })
})

describe("a dry run", () => {
  const dry = { ...INSTALLED, isDryRun: true }

  test("prints the file and nothing else, and remarks what would be done", () => {
    expect(serviceLines(dry, SHOWN)).toEqual(["[Unit]", "Description=x"])
    expect(previewNotes(dry, SHOWN)).toEqual([
      "would write ~/.config/systemd/user/basic-memory-sync.service and start it",
    ])
    expect(previewNotes({ ...dry, isChanged: false }, SHOWN)[0]).toMatch(/is installed like this already$/)
    expect(previewNotes({ ...dry, refusal: { kind: "container" } }, SHOWN)[0]).toMatch(
      /^! .*This is a container/,
    )
    expect(previewNotes(INSTALLED, SHOWN)).toEqual([])
  })

  test("of an uninstall says what would be removed", () => {
    expect(serviceLines({ ...REMOVED, isDryRun: true }, SHOWN)).toEqual([
      "would stop the service and remove ~/.config/systemd/user/basic-memory-sync.service",
    ])
    expect(serviceLines({ ...REMOVED, isDryRun: true, isChanged: false }, SHOWN)).toEqual([
      "No service is installed",
    ])
  })

  test("changed nothing, as its document says", () => {
    expect(serviceJson(dry, SHOWN)).toMatchObject({
      changed: false,
      dry_run: true,
      would_change: true,
      text: INSTALLED.text,
      refused: null,
    })
    const refused = serviceJson({ ...dry, refusal: { kind: "container" } }, SHOWN)
    expect(refused).toMatchObject({ refused: "container" })
    expect(refused).not.toHaveProperty("running")
  })
})

describe("a refusal", () => {
  const rows: readonly { refusal: ServiceRefusal; exit: number; message: RegExp }[] = [
    {
      refusal: { kind: "container" },
      exit: 4,
      message: /^This is a container; run bm sync --watch as its command$/,
    },
    {
      refusal: { kind: "no_manager", platform: "linux", text: "x" },
      exit: 4,
      message: /systemd of this user/,
    },
    { refusal: { kind: "no_manager", platform: "darwin", text: "x" }, exit: 4, message: /logged in/ },
    {
      refusal: { kind: "no_manager", platform: "win32" },
      exit: 4,
      message: /Linux with systemd and on macOS/,
    },
    {
      refusal: { kind: "unfit", what: "a\nb", why: "control_character" },
      exit: 4,
      message: /^a\\nb cannot be part of a service$/,
    },
    { refusal: { kind: "file_failed", file: "/x", word: "EACCES" }, exit: 1, message: /^Cannot change \/x/ },
    {
      refusal: {
        kind: "command_failed",
        command: "systemctl --user enable x",
        code: 1,
        text: "a\n\u001b[2Jb\n",
      },
      exit: 1,
      message: /^systemctl --user enable x failed \(1\) - \\x1b\[2Jb$/,
    },
  ]

  test.each(rows)("$refusal.kind ($refusal.platform) names a way on", ({ refusal, exit, message }) => {
    const text = serviceError(refusal)
    expect(text.exit).toBe(exit)
    expect(text.message).toMatch(message)
    expect(text.fix.length).toBeGreaterThan(0)
  })

  test("repeats why the manager does not answer", () => {
    const text = "Failed to connect to bus: No medium found"
    expect(serviceError({ kind: "no_manager", platform: "linux", text }).why).toBe(text)
  })
})

describe("a pause", () => {
  const nowMs = new Date(2026, 2, 2, 10, 6).getTime()
  const untilMs = nowMs + 2 * 3_600_000

  test("says until when, and how to end it", () => {
    expect(pauseLines({ sinceMs: nowMs, untilMs }, nowMs)).toEqual([
      "✓ Paused until 12:06. Resume: bm sync --resume",
    ])
    expect(pauseLines({ sinceMs: nowMs, untilMs: nowMs + 86_400_000 }, nowMs)).toEqual([
      "✓ Paused until 3 Mar 10:06. Resume: bm sync --resume",
    ])
    expect(pauseLines({ sinceMs: nowMs }, nowMs)).toEqual([
      "✓ Paused until you resume it. Resume: bm sync --resume",
    ])
    expect(nextWhilePaused({ sinceMs: nowMs, untilMs }, nowMs)).toBe("paused until 12:06 (bm sync --resume)")
    expect(pauseBeginsLine({ sinceMs: nowMs, untilMs }, nowMs)).toBe("Paused until 12:06 (bm sync --resume)")
    expect(pauseEndsLine()).toBe("✓ No longer paused")
  })

  test("ends, or there was none", () => {
    expect(resumeLines(true)).toEqual(["✓ Resumed"])
    expect(resumeLines(false)).toEqual(["Nothing was paused"])
    expect(resumeJson(false)).toEqual({ schema: "bm.pause/1", ok: true, action: "resume", changed: false })
  })

  test("is a document whose end is null where it has none", () => {
    const since = new Date(nowMs).toISOString()
    expect(pauseJson({ sinceMs: nowMs, untilMs })).toEqual({
      schema: "bm.pause/1",
      ok: true,
      action: "pause",
      since,
      until: new Date(untilMs).toISOString(),
    })
    expect(pauseJson({ sinceMs: nowMs })).toMatchObject({ until: null })
  })
})
