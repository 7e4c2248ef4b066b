/** Asks the cloud for a prompt that goes on with what a project is about. */

import { findDirectory } from "../cloud/project-map.ts"
import { type ProjectPermalink, projectPermalinkOf } from "../cloud/permalink.ts"
import type { SyncError } from "../model/errors.ts"
import { err, ok, type Result } from "../model/result.ts"
import { accountError, openAccount } from "./account.ts"
import { type Place, readConfig } from "./config.ts"
import { readMap } from "./projects.ts"
import { stateDirectory } from "./session.ts"

export interface ConversationOptions {
  readonly project?: string
  readonly topic?: string
  readonly timeframe?: string
}

/** The text of the prompt. */
export async function continueConversation(
  place: Place,
  { project, topic, timeframe }: ConversationOptions,
): Promise<Result<string, SyncError>> {
  const api = await openAccount(place)
  if (!api.ok) return api
  const listed = project === undefined ? await api.value.projects() : ok(undefined)
  if (!listed.ok) return accountError(listed.error)
  const name = project ?? listed.value?.defaultProject ?? "main"
  const permalink = permalinkFor(place, name)
  if (permalink === undefined) return err({ code: "not_found", what: "project", name })
  const answer = await api.value.continueConversation(permalink, {
    ...(topic !== undefined && { topic }),
    ...(timeframe !== undefined && { timeframe }),
  })
  if (answer.ok) return ok(answer.value.prompt)
  return answer.error.kind === "not_found"
    ? err({ code: "not_found", what: "project", name })
    : accountError(answer.error)
}

/** By its directory here, where it has one; else by its name. */
function permalinkFor(place: Place, name: string): ProjectPermalink | undefined {
  const config = readConfig(place)
  const map =
    config.ok && config.value !== undefined ? readMap(stateDirectory(place, config.value.stateKey)) : []
  const directory = findDirectory(name, { directories: map.map((entry) => entry.directory), map })
  return map.find((entry) => entry.directory === directory)?.permalink ?? projectPermalinkOf(name)
}
