/**
 * The projects of a tenant, as the service behind `/proxy` has them: listed, created, found by permalink, indexed on
 * request, and asked what a conversation was about. It holds names only; the notes are in the bucket.
 */

import { type Asked, membersOf, nameOf } from "./asked.ts"
import { json, type Reply } from "./http.ts"
import type { OpenTenant } from "./tenant.ts"

/** With `path` as the service lists it: below `/app/data/`. */
export interface CloudProject {
  readonly name: string
  readonly path: string
  readonly is_default: boolean
}

const ROOT = "/app/data/"
const ITEM = /^(GET|POST) \/proxy\/([^/]+)\/(project\/item|project\/sync|project\/status|prompt\/[a-z-]+)$/
/** The most that each may ask for, and what it is where it does not. */
const LIMITS = {
  search_items_limit: { most: 10, usual: 5 },
  depth: { most: 5, usual: 1 },
  related_items_limit: { most: 10, usual: 5 },
} as const

export function firstProjects(): readonly CloudProject[] {
  return [newProject("main", "main", true)]
}

export function newProject(name: string, path: string, isDefault = false): CloudProject {
  return { name, path: `${ROOT}${path}`, is_default: isDefault }
}

/** Nothing where something else is asked. */
export function answerProjects(tenant: OpenTenant, asked: Asked, nowMs: number): Reply | undefined {
  if (nameOf(asked) === "GET /proxy/projects/projects")
    return json(200, { projects: tenant.projects, default_project: defaultOf(tenant)?.name ?? "" })
  if (nameOf(asked) === "POST /proxy/projects/projects") return create(tenant, asked)
  const [, method, encoded = "", what] = ITEM.exec(nameOf(asked)) ?? []
  const permalink = decoded(encoded)
  const project = tenant.projects.find((each) => each.path === `${ROOT}${permalink}`)
  switch (`${method} ${what}`) {
    case "GET project/item":
      return project === undefined ? unknown(permalink) : json(200, project)
    case "POST project/sync":
      if (project === undefined) return unknown(permalink)
      return json(200, {
        status: "sync_started",
        message: `Filesystem sync initiated for project '${project.name}'`,
      })
    case "POST project/status":
      // Everything is indexed at all times: there is no index.
      if (project === undefined) return unknown(permalink)
      return json(200, { new: [], modified: [], deleted: [], moves: {}, checksums: {}, total: 0 })
    case "POST prompt/continue-conversation":
      return project === undefined ? unknown(permalink) : conversation(project, asked, nowMs)
    default:
      return undefined
  }
}

function create(tenant: OpenTenant, asked: Asked): Reply {
  const { name, path, set_default } = membersOf(asked) ?? {}
  if (!isText(name) || !isText(path) || typeof set_default !== "boolean") return invalid("body")
  if (tenant.projects.some((each) => each.name === name))
    return json(400, { detail: `Project '${name}' already exists` })
  const sharing = tenant.projects.find((each) => each.path === `${ROOT}${path}`)
  if (sharing !== undefined)
    return json(400, {
      detail: `Cannot create project at '${sharing.path}': path is nested within existing project '${sharing.name}'`,
    })
  const before = set_default ? defaultOf(tenant) : undefined
  const others = tenant.projects.map((each) => (set_default ? { ...each, is_default: false } : each))
  tenant.projects = [...others, newProject(name, path, set_default)]
  return json(200, {
    message: `Project '${name}' added successfully`,
    status: "success",
    default: set_default,
    old_project: before ?? null,
    // As it was asked for: only the list knows where it lies.
    new_project: { name, path, is_default: set_default },
  })
}

function conversation(project: CloudProject, asked: Asked, nowMs: number): Reply {
  const members = membersOf(asked)
  if (members === undefined) return invalid("body")
  const { topic, timeframe } = members
  for (const [name, value] of Object.entries({ topic, timeframe }))
    if (value !== undefined && value !== null && typeof value !== "string") return invalid(name)
  const limits: Record<string, number> = {}
  for (const [name, { most, usual }] of Object.entries(LIMITS)) {
    const value = members[name] ?? usual
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > most)
      return invalid(name)
    limits[name] = value
  }
  const about = isText(topic) ? topic : "Recent Activity"
  return json(200, {
    prompt: `# Continuing conversation on: ${about}\n\nProject: ${project.name}\n`,
    context: { results: [], metadata: { depth: limits["depth"] } },
    metadata: {
      query: topic ?? null,
      timeframe: timeframe ?? null,
      search_limit: limits["search_items_limit"],
      context_depth: limits["depth"],
      related_limit: limits["related_items_limit"],
      total_items: 0,
      generated_at: new Date(nowMs).toISOString(),
    },
  })
}

function defaultOf(tenant: OpenTenant): CloudProject | undefined {
  return tenant.projects.find((each) => each.is_default)
}

function unknown(permalink: string): Reply {
  return json(404, { detail: `Project '${permalink}' not found.` })
}

function invalid(field: string): Reply {
  return json(422, { detail: [{ type: "value_error", loc: ["body", field], msg: "Input is not valid" }] })
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== ""
}

/** A segment that nobody can decode is the name of nothing. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
