/** The history as JSON documents: `bm.history/1` and `bm.run/1`. */

import type { HistoryEvent, HistoryList, HistoryRun, ShownEvent, ShownRun, UndoTarget } from "../index.ts"

export function historyDocument(list: HistoryList, filters: object): object {
  const { runs, events, total, nextBefore } = list
  return {
    schema: "bm.history/1",
    filters,
    total,
    next_before: nextBefore ?? null,
    runs: runs.map(runJson),
    ...(events !== undefined && {
      events: events.map((event) => ({
        ...eventJson(event),
        run: event.run,
        at: event.at,
        device: list.device,
      })),
    }),
    ...(list.eventsTotal !== undefined && { events_total: list.eventsTotal }),
  }
}

function runJson(run: HistoryRun): object {
  return {
    run: run.run,
    kind: run.kind,
    device: run.device,
    started_at: run.startedAt,
    ms: run.ms ?? null,
    ok: run.isOk,
    exit: run.exit ?? null,
    plan: run.plan ?? null,
    profile: run.profile ?? null,
    uploaded: run.uploaded,
    downloaded: run.downloaded,
    deleted: run.deleted,
    moved: run.moved,
    conflicts: run.conflicts,
    undone_by: run.undoneBy ?? null,
    undo_of: undoneName(run.undoOf),
    available: "here",
    ...(run.isIdle && { idle: true }),
  }
}

/** The run, event or conflict that was taken back; of an undo to a moment there is no one name. */
function undoneName(target: UndoTarget | undefined): string | null {
  switch (target?.kind) {
    case "run":
    case "path":
      return target.run
    case "conflict":
      return target.conflict
    case "event":
      return `${target.run}.${target.number}`
    default:
      return null
  }
}

function eventJson(event: HistoryEvent): object {
  return {
    id: event.id,
    op: event.op,
    ...(event.change !== undefined && { change: event.change }),
    path: event.path,
    ...(event.to !== undefined && { to: event.to }),
    direction: event.direction,
    bytes: event.bytes,
    reason: event.reason ?? null,
    before: event.before ?? null,
    after: event.after ?? null,
    kept: event.kept === undefined ? null : `git:${event.kept}`,
    ...(event.conflict !== undefined && {
      conflict: event.conflict,
      rule: event.decision?.rule ?? null,
      winner: event.decision?.winner ?? null,
    }),
    undone_by: event.undoneBy ?? null,
  }
}

export function runDocument(shown: ShownRun): object {
  const { run, device, plan, baselineBefore, gitBefore, gitAfter, journal, equal, events, skipped } = shown
  const { run: _, device: __, ...about } = runJson(run) as { readonly run: string; readonly device: string }
  return {
    schema: "bm.run/1",
    run: run.run,
    device,
    ...about,
    plan: plan ?? null,
    baseline: { before: baselineBefore ?? null, after: run.run },
    git: { before: gitBefore ?? null, after: gitAfter ?? null },
    journal: { from: journal.from, to: journal.to, anchored: journal.isAnchored },
    equal,
    events: events.map((event: ShownEvent) => ({
      ...eventJson(event),
      ...(event.patch !== undefined && { patch: event.patch }),
    })),
    skipped,
  }
}
