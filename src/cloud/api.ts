/**
 * The account's API, call by call: what is asked and what comes back, checked and typed.
 *
 * Errors: `CloudFailure` of any kind; an answer that is not what was promised is `nonsense` with the field that was not.
 */

import { ok, type Result } from "../model/result.ts"
import {
  type CloudProject,
  type Conversation,
  type Credential,
  type CredentialId,
  type Health,
  type MintedCredentials,
  type MountInfo,
  parseConversation,
  parseCredentials,
  parseHealth,
  parseMintedCredentials,
  parseMountInfo,
  parseProject,
  parseProjects,
  parseProjectStatus,
  type ProjectList,
  type ProjectStatus,
} from "./answers.ts"
import type { CloudFailure } from "./failure.ts"
import type { ProjectPermalink } from "./permalink.ts"
import type { ApiRequest, CloudSession } from "./session.ts"

export interface CloudApi {
  /** Also says whether there is a subscription. */
  health(): Answered<Health>
  mountInfo(): Answered<MountInfo>
  /** A new key pair with every call; its secret is shown this once. */
  mintCredentials(): Answered<MintedCredentials>
  /** Those that hold, without their secrets. */
  listCredentials(): Answered<readonly Credential[]>
  /** One that is gone already is revoked. */
  revokeCredentials(id: CredentialId): Answered<void>
  projects(): Answered<ProjectList>
  /** `existed`: the service has one of this name, which is as good. */
  createProject(project: NewProject): Answered<"created" | "existed">
  /** `undefined` where there is none. */
  project(permalink: ProjectPermalink): Answered<CloudProject | undefined>
  /** Asks the cloud to look at the project's files. */
  syncProject(permalink: ProjectPermalink): Answered<void>
  projectStatus(permalink: ProjectPermalink): Answered<ProjectStatus>
  continueConversation(permalink: ProjectPermalink, about: ConversationTopic): Answered<Conversation>
}

type Answered<T> = Promise<Result<T, CloudFailure>>

export interface NewProject {
  readonly name: string
  readonly path: ProjectPermalink
}

export interface ConversationTopic {
  readonly topic?: string
  /** As the service reads it: `7d`, `1 week`. */
  readonly timeframe?: string
}

const PROJECTS = "/proxy/projects/projects"
const CREDENTIALS = "/tenant/mount/credentials"

export function openApi(session: CloudSession): CloudApi {
  const get = (path: string) => session.ask({ method: "GET", path })
  const post = (path: string, json?: unknown) =>
    session.ask({ method: "POST", path, ...(json !== undefined && { json }) })
  return {
    health: async () => parsed(await get("/proxy/health"), parseHealth),
    mountInfo: async () => parsed(await get("/tenant/mount/info"), parseMountInfo),
    mintCredentials: async () => parsed(await post(CREDENTIALS), parseMintedCredentials),
    listCredentials: async () => parsed(await get(CREDENTIALS), parseCredentials),
    revokeCredentials: (id) => revoke(session, { method: "DELETE", path: below(CREDENTIALS, id) }),
    projects: async () => parsed(await get(PROJECTS), parseProjects),
    createProject: async (project) => created(await post(PROJECTS, { ...project, set_default: false })),
    async project(permalink) {
      const answer = await get(`${below("/proxy", permalink)}/project/item`)
      return isGone(answer) ? ok(undefined) : parsed(answer, parseProject)
    },
    async syncProject(permalink) {
      const answer = await post(`${below("/proxy", permalink)}/project/sync`)
      return answer.ok ? ok(undefined) : answer
    },
    projectStatus: async (permalink) =>
      parsed(await post(`${below("/proxy", permalink)}/project/status`), parseProjectStatus),
    continueConversation: async (permalink, about) =>
      parsed(
        await post(`${below("/proxy", permalink)}/prompt/continue-conversation`, { ...about, ...LIMITS }),
        parseConversation,
      ),
  }
}

const LIMITS = { search_items_limit: 5, depth: 1, related_items_limit: 5 }

function parsed<T>(
  answer: Result<unknown, CloudFailure>,
  parse: (value: unknown) => Result<T, CloudFailure>,
): Result<T, CloudFailure> {
  return answer.ok ? parse(answer.value) : answer
}

async function revoke(session: CloudSession, request: ApiRequest): Answered<void> {
  const answer = await session.ask(request)
  return answer.ok || isGone(answer) ? ok(undefined) : answer
}

function created(answer: Result<unknown, CloudFailure>): Result<"created" | "existed", CloudFailure> {
  if (answer.ok) return ok("created")
  const { error } = answer
  const existed =
    error.kind === "refused" && error.status === 400 && /already exists/i.test(error.detail ?? "")
  return existed ? ok("existed") : answer
}

function isGone(answer: Result<unknown, CloudFailure>): boolean {
  return !answer.ok && answer.error.kind === "not_found"
}

function below(path: string, name: ProjectPermalink | CredentialId): string {
  return `${path}/${encodeURIComponent(name)}`
}
