/**
 * Git's objects as bytes: their names, and how trees and commits are written and read. Pure.
 *
 * Names in trees are kept as `latin1` strings, one character for each byte: nothing is lost, and comparing
 * strings compares bytes. Entry modes that a user's own commit brought in are carried along as they are.
 * Source: git's Documentation/gitformat-pack and object-file.c.
 */

import { createHash } from "node:crypto"
import type { GitOid } from "../model/ids.ts"
import { damaged } from "./git-trouble.ts"

export type ObjectType = "commit" | "tree" | "blob" | "tag"

export interface GitObject {
  readonly type: ObjectType
  readonly body: Buffer
}

export interface TreeEntry {
  readonly mode: string
  readonly oid: GitOid
}

const OID = /^[0-9a-f]{40}$/
export const MODE_FILE = "100644"
export const MODE_DIRECTORY = "40000"
export const OID_BYTES = 20
/** Git knows this object without storing it. */
export const EMPTY_TREE = mustOid("4b825dc642cb6eb9a060e54bf8d69288fbee4904")

const IDENTITY = "bm <bm@localhost>"
/** Git refuses times that its own integers cannot hold; this is the year 2286. */
const COMMIT_SECONDS_MAX = 9_999_999_999

export function parseOid(text: string): GitOid | undefined {
  return OID.test(text) ? (text as GitOid) : undefined
}

export function mustOid(text: string): GitOid {
  const oid = parseOid(text)
  if (oid === undefined) throw new Error(`assertion failed: ${JSON.stringify(text)} is not an object name`)
  return oid
}

export function objectHeader(type: ObjectType, sizeBytes: number): string {
  return `${type} ${sizeBytes}\0`
}

export function oidOf(type: ObjectType, body: Uint8Array): GitOid {
  return mustOid(createHash("sha1").update(objectHeader(type, body.length)).update(body).digest("hex"))
}

export function encodeCommit(commit: {
  readonly tree: GitOid
  readonly parent: GitOid | undefined
  readonly message: string
  readonly atMs: number
}): Buffer {
  const seconds = Math.min(Math.max(Math.floor(commit.atMs / 1000), 0), COMMIT_SECONDS_MAX)
  const lines = [
    `tree ${commit.tree}`,
    ...(commit.parent === undefined ? [] : [`parent ${commit.parent}`]),
    `author ${IDENTITY} ${seconds} +0000`,
    `committer ${IDENTITY} ${seconds} +0000`,
    "",
    `${commit.message.replaceAll("\0", "").trimEnd()}\n`,
  ]
  return Buffer.from(lines.join("\n"))
}

export function treeOfCommit(oid: GitOid, body: Buffer): GitOid {
  const tree = parseOid(body.toString("latin1", 5, 45))
  if (tree === undefined || body.toString("latin1", 0, 5) !== "tree ") throw damaged(oid, "not a commit")
  return tree
}

export function encodeTree(entries: ReadonlyMap<string, TreeEntry>): Buffer {
  const sorted = [...entries].map(([name, entry]) => ({ name, entry, key: sortKey(name, entry) }))
  sorted.sort((a, b) => (a.key < b.key ? -1 : 1))
  const parts = sorted.flatMap(({ name, entry }) => [
    Buffer.from(`${entry.mode} ${name}\0`, "latin1"),
    Buffer.from(entry.oid, "hex"),
  ])
  return Buffer.concat(parts)
}

export function parseTree(oid: GitOid, body: Buffer): Map<string, TreeEntry> {
  const entries = new Map<string, TreeEntry>()
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at)
    const nul = body.indexOf(0, at)
    if (space < 0 || nul < space || nul + 1 + OID_BYTES > body.length) throw damaged(oid, "not a tree")
    const end = nul + 1 + OID_BYTES
    const entry = {
      mode: body.toString("latin1", at, space),
      oid: mustOid(body.toString("hex", nul + 1, end)),
    }
    entries.set(body.toString("latin1", space + 1, nul), entry)
    at = end
  }
  return entries
}

export function isDirectoryMode(mode: string): boolean {
  return mode === MODE_DIRECTORY || mode === `0${MODE_DIRECTORY}`
}

export function isFileMode(mode: string): boolean {
  return mode.startsWith("100")
}

/** Git sorts a directory as if its name ended in `/`. */
function sortKey(name: string, entry: TreeEntry): string {
  return isDirectoryMode(entry.mode) ? `${name}/` : name
}
