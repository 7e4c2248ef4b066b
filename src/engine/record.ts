/**
 * Writes the agreed tree into the history store: after the transfers, one pack and one commit per run.
 *
 * Bytes are taken while they pass by; what did not pass (agreed without a transfer, or left over from a crash) is read
 * from the side that still has it. A version that neither has any more is not in the story; nothing depends on it,
 * because whatever a step of ours replaces is kept first.
 */

import type { Base } from "../model/entry.ts"
import type { Trouble } from "../model/errors.ts"
import type { EventBody, JournalEvent } from "../model/event.ts"
import type { ContentHash, GitOid, RunId, Sequence } from "../model/ids.ts"
import type { RelativePath } from "../model/path.ts"
import type { HistoryStore, HistoryWriter, TreeChange } from "../model/ports.ts"
import { err, ok, type Result } from "../model/result.ts"
import { SIDES } from "../model/side.ts"
import type { State } from "../model/state.ts"
import type { Ledger } from "./ledger.ts"
import type { World } from "./world.ts"

export interface Recorder {
  /** Takes the bytes of a version that both sides now agree on. */
  add(hash: ContentHash, bytes: Uint8Array): Promise<void>
  /** Takes notice of paths that both sides have no longer. */
  note(events: readonly JournalEvent[]): void
  /** Commits every agreement since the last recorded one. */
  finish(message: string): Promise<Result<void, Trouble>>
}

export function recorder(world: World, ledger: Ledger, run: RunId): Recorder {
  const oids = new Map<ContentHash, GitOid>()
  let opened: { readonly history: HistoryStore; readonly writer: HistoryWriter } | undefined
  let trouble: Trouble | undefined
  // Agreements older than this run that were never recorded: an earlier run ended before its commit.
  const isBehind = hasUnrecorded(ledger.state())

  const open = async (): Promise<
    Result<{ readonly history: HistoryStore; readonly writer: HistoryWriter }, Trouble>
  > => {
    if (opened !== undefined) return ok(opened)
    const history = await world.history()
    if (!history.ok) return history
    const writer = await history.value.begin()
    if (!writer.ok) return writer
    opened = { history: history.value, writer: writer.value }
    return ok(opened)
  }
  // Asked once, at the first version: until this run's end nothing is added but what `oids` knows.
  let hasKept: Promise<boolean> | undefined
  const add = async (hash: ContentHash, bytes: Uint8Array): Promise<void> => {
    if (trouble !== undefined || oids.has(hash) || bytes.length > world.largeFileBytes) return
    hasKept ??= ledger.hasKept()
    if ((await hasKept) && (await ledger.keptAt(hash)) !== undefined) return
    const at = await open()
    const oid = at.ok ? await at.value.writer.add(bytes) : at
    if (oid.ok) oids.set(hash, oid.value)
    else trouble = oid.error
  }
  const forgotten = new Set<RelativePath>()
  return {
    add,
    note(events) {
      for (const path of forgottenPaths(events)) forgotten.add(path)
    },
    async finish(message) {
      const at = await open()
      if (trouble !== undefined || !at.ok)
        return err(trouble ?? (at.ok ? { code: "io", path: "" } : at.error))
      const { history, writer } = at.value
      const upTo = ledger.head().sequence
      const changes = await changesSince({ world, ledger, history, oids, add, forgotten, isBehind })
      const committed = changes.ok
        ? await writer.commit({ changes: changes.value, message, atMs: Math.floor(world.clock.nowMs()) })
        : changes
      const finished = committed.ok ? await writer.finish() : committed
      if (!committed.ok || !finished.ok) {
        await writer.abandon()
        return committed.ok ? finished : committed
      }
      const bodies: EventBody[] =
        oids.size === 0 ? [] : [{ type: "history.kept", items: [...oids], commit: committed.value }]
      await ledger.append([...bodies, { type: "history.recorded", upTo, commit: committed.value }], {
        sync: false,
        run,
      })
      return ok(undefined)
    },
  }
}

interface Recording {
  readonly world: World
  readonly ledger: Ledger
  readonly history: HistoryStore
  readonly oids: ReadonlyMap<ContentHash, GitOid>
  readonly add: (hash: ContentHash, bytes: Uint8Array) => Promise<void>
  readonly forgotten: ReadonlySet<RelativePath>
  readonly isBehind: boolean
}

async function changesSince(recording: Recording): Promise<Result<readonly TreeChange[], Trouble>> {
  const { ledger, isBehind, history } = recording
  const state = ledger.state()
  const changes: TreeChange[] = []
  const touched = new Set(recording.forgotten)
  if (isBehind) {
    const tree = await history.tree()
    if (!tree.ok) return tree
    for (const path of tree.value.keys()) touched.add(path)
  }
  for (const path of touched) if (state.paths.get(path)?.base === undefined) changes.push({ path })
  for (const [path, { base }] of state.paths) {
    if (base === undefined || base.sequence <= state.root.recordedSequence) continue
    const oid = await oidOf(recording, path, base)
    if (oid !== undefined) changes.push({ path, oid })
  }
  return ok(changes)
}

function forgottenPaths(events: readonly JournalEvent[]): readonly RelativePath[] {
  return events.flatMap((event) => {
    if (event.type === "done")
      return event.after.filter(({ content }) => content === undefined).map(({ path }) => path)
    return event.type === "agreed"
      ? event.items.filter(({ version }) => version === undefined).map(({ path }) => path)
      : []
  })
}

async function oidOf(
  { world, ledger, oids, add }: Recording,
  path: RelativePath,
  base: Base,
): Promise<GitOid | undefined> {
  const known = oids.get(base.hash) ?? (await ledger.keptAt(base.hash))
  if (known !== undefined || base.sizeBytes > world.largeFileBytes) return known
  for (const side of SIDES) {
    const version = ledger.state().paths.get(path)?.[side]
    if (version === undefined || version.hash !== base.hash) continue
    const content = await world.sides[side].read(path, version)
    if (!content.ok || content.value.hash !== base.hash) continue
    const bytes = content.value.kind === "bytes" ? content.value.bytes : await collect(content.value.open())
    if (bytes === undefined) continue
    await add(base.hash, bytes)
    // The other side holds the same, and may be far away.
    break
  }
  return oids.get(base.hash)
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array | undefined> {
  try {
    const all: Uint8Array[] = []
    for await (const piece of pieces) all.push(piece)
    return Buffer.concat(all)
  } catch {
    // It changed while it was read; what it became is recorded when it is agreed on.
    return undefined
  }
}

function hasUnrecorded({ root, paths }: State): boolean {
  const recorded: Sequence = root.recordedSequence
  for (const { base } of paths.values()) if (base !== undefined && base.sequence > recorded) return true
  return false
}
