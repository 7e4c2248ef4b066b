/** What Linux tells of the processes of this machine: which there are, how they were started, where they listen. */

import { readdirSync, readFileSync, readlinkSync } from "node:fs"

export const hasProc = process.platform === "linux"

/** Every process with the words that it was started with; one that ended meanwhile is not among them. */
export function processes(): ReadonlyMap<number, readonly string[]> {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name))
  return new Map(
    pids.flatMap((pid) => {
      const words = readOf(pid, "cmdline")
      return words === undefined || words === "" ? [] : [[Number(pid), words.split("\0")] as const]
    }),
  )
}

/** Those that name this file or something below it. */
export function processesNaming(path: string): readonly number[] {
  return [...processes()]
    .filter(([, words]) => words.some((word) => word.startsWith(path)))
    .map(([pid]) => pid)
}

/** A process and all that it started, whoever of them still lives. */
export function familyOf(pid: number): ReadonlyMap<number, readonly string[]> {
  const all = processes()
  const parents = new Map([...all.keys()].map((each) => [each, parentOf(each)]))
  const isOfFamily = (each: number | undefined): boolean =>
    each !== undefined && each > 1 && (each === pid || isOfFamily(parents.get(each)))
  return new Map([...all].filter(([each]) => isOfFamily(each)))
}

function parentOf(pid: number): number | undefined {
  const parent = /^PPid:\s+(\d+)/m.exec(readOf(String(pid), "status") ?? "")?.[1]
  return parent === undefined ? undefined : Number(parent)
}

/** The rclone that answers a device, found by the directory that the device has on its PATH. */
export function rcloneIn(bin: string): number | undefined {
  return [...processes()].find(
    ([, [program, command]]) => program === `${bin}/rclone` && command === "rcd",
  )?.[0]
}

export function environmentOf(pid: number): ReadonlyMap<string, string> {
  const lines = (readOf(String(pid), "environ") ?? "").split("\0")
  return new Map(lines.map((line) => [line.replace(/=.*$/s, ""), line.replace(/^[^=]*=/, "")]))
}

/** Addresses, as the kernel writes them, with the port as a number. */
export function listeningOf(pid: number): readonly { readonly address: string; readonly port: number }[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${name}`) ?? "")?.[1]
      return inode === undefined ? [] : [inode]
    }),
  )
  return ["tcp", "tcp6"].flatMap((table) =>
    (readOf(String(pid), `net/${table}`) ?? "").split("\n").flatMap((line) => {
      const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/)
      const [address = "", port = ""] = local.split(":")
      return state === LISTENING && sockets.has(inode) ? [{ address, port: Number.parseInt(port, 16) }] : []
    }),
  )
}

/** 127.0.0.1, the way the kernel writes it on a machine like ours. */
export const LOOPBACK = "0100007F"
const LISTENING = "0A"

/** Nobody has it any more; one that ended and was not buried yet holds nothing and does nothing. */
export function isGone(pid: number): boolean {
  const state = /^State:\s+(\S)/m.exec(readOf(String(pid), "status") ?? "")?.[1]
  return state === undefined || state === "Z" || state === "X"
}

/** Asks again and again; the test's own limit ends it. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
}

const EVERY_MS = 10

function readOf(pid: string, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8")
  } catch {
    return undefined
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}
