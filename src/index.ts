/** The public surface: what the command line calls, and what a program may call. */

export { bisync, type BisyncOptions, type Opened, open, type Ran, requireConfig } from "./engine/bisync.ts"
export type { Config, Place } from "./engine/config.ts"
export { readConfig, shortenHome } from "./engine/config.ts"
export type { Cycle, Prepared } from "./engine/cycle.ts"
export type { Holder } from "./engine/session.ts"
export { isLoggedIn, login, logout } from "./engine/account.ts"
export { continueConversation } from "./engine/conversation.ts"
export type { ProjectNews } from "./engine/projects.ts"
export { shownRemote } from "./engine/remote.ts"
export type { ImportReport } from "./engine/import.ts"
export type { InstallOffer } from "./engine/setup-rclone.ts"
export {
  setup,
  type SetupGuard,
  type StepResult,
  type SetupOptions,
  type SetupReport,
} from "./engine/setup.ts"
export type { AskCredentials, Credentials } from "./engine/store-access.ts"
export {
  doctor,
  type DoctorCheck,
  type DoctorOptions,
  type DoctorReport,
  type DoctorResult,
} from "./engine/doctor.ts"
export type { Performed } from "./engine/perform.ts"
export type { Outcome, Progress } from "./execute/execute.ts"
export type { Action, Notice, Plan } from "./model/action.ts"
export type { Base, Version } from "./model/entry.ts"
export type { StaleAction, SyncError, Trouble } from "./model/errors.ts"
export type { RunCounts } from "./model/event.ts"
export type { ProfileName } from "./model/settings.ts"
export { isProfileName, PROFILE_NAMES } from "./model/settings.ts"
export { type ActionRecord, recordsDigest } from "./engine/action-record.ts"
export { applySaved, type Check, judgeSaved, type SavedPlan } from "./engine/apply.ts"
export { profileOf } from "./engine/bisync.ts"
export { type Evidence, gatherEvidence } from "./engine/evidence.ts"
export { dryRun, type PlannedRun, plannedRun } from "./engine/planned-run.ts"
export { sha256 } from "./engine/session.ts"
export { takeBack, type TakeBackOptions, type TookBack, type When } from "./engine/take-back.ts"
export { type UndoRan, type UndoRequest, verifyGoals } from "./engine/undo.ts"
export type { IfChanged, Judged } from "./engine/undo-judge.ts"
export {
  type ConflictEvidence,
  conflictDiff,
  conflictEvidence,
  placesOf,
  readConflictVersion,
  type VersionName,
} from "./engine/conflict-contents.ts"
export { type ConflictRecord, findConflict, listConflicts } from "./engine/conflicts-query.ts"
export { type Reading, whileReading } from "./engine/reading.ts"
export type { ResolveProblem } from "./model/errors.ts"
export { resolveConflicts, type ResolveOptions, type ResolveReport } from "./engine/resolve.ts"
export type { Choice, Keep, Resolving } from "./engine/resolve-judge.ts"
export {
  type ExportEnd,
  type ExportFile,
  type ExportFilter,
  exportHistory,
  type ExportRecord,
  openExportFile,
} from "./engine/export.ts"
export type { HistoryEvent } from "./engine/history-event.ts"
export type { HistoryAccess } from "./engine/history-open.ts"
export { type HistoryFilter, type HistoryList, type HistoryRun, listHistory } from "./engine/history-query.ts"
export { type ShownEvent, type ShownRun, type ShowOptions, showRun } from "./engine/history-run.ts"
export { type VerifyCheck, type VerifyCheckOf, verifyHistory, type VerifyReport } from "./engine/verify.ts"
export { type PastVersion, readVersion, type VersionQuery } from "./engine/version-at.ts"
export type { RunKind, UndoTarget } from "./model/event.ts"
export { readStatus } from "./engine/status-file.ts"
export { type Guard, queryStatus, type StatusReport } from "./engine/status-query.ts"
export { check, type CheckOptions, type CheckReport } from "./engine/check.ts"
export type { Finding } from "./engine/check-judge.ts"
export { openWatching, type Watching } from "./engine/watch.ts"
export { type Heartbeat, timeOrNull } from "./engine/watch-file.ts"
export { type Dirty, makeDirty } from "./watch/dirty.ts"
export { startLoop } from "./watch/loop.ts"
export { type Ending, isListingDue } from "./watch/pace.ts"
export { clock } from "./engine/session.ts"
export {
  type InstallOptions,
  installService,
  type ServiceOptions,
  type ServiceReport,
  uninstallService,
} from "./watch/install-service.ts"
export type { ServiceRefusal } from "./model/service-refusal.ts"
export type { Machine } from "./watch/manager.ts"
export { parseDuration, type Pause, pause, readPause, resume } from "./watch/pause.ts"
export { type ManagerName, startedBy, watchArguments } from "./watch/service.ts"
export { thisMachine } from "./watch/this-machine.ts"
