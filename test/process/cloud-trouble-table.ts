/**
 * What the service may answer instead of what was asked for, each with the words that a user must find: the message, and
 * the way out. The same for every command that asks it something.
 */

import { type Asked, type Cloud, SUBSCRIPTION, type Trouble } from "../cloud/service.ts"

export interface ServiceTrouble {
  readonly name: string
  befall(cloud: Cloud): void
  /** The message. */
  readonly says: RegExp
  readonly wayOut: RegExp
  /** Nobody notices where nothing is read from the answer. */
  readonly isSeenWhereRead?: true
  /** Under `--json`. */
  readonly code: "credentials" | "not_found" | "cloud_unreachable"
}

const TROUBLES: readonly ServiceTrouble[] = [
  ...(["nested", "flat"] as const).map(
    (subscriptionError): ServiceTrouble => ({
      name: `no subscription, ${subscriptionError}`,
      befall: (cloud) => cloud.set({ isSubscribed: false, subscriptionError }),
      says: new RegExp(SUBSCRIPTION.message),
      wayOut: new RegExp(SUBSCRIPTION.subscribe_url),
      code: "credentials",
    }),
  ),
  {
    name: "401, and no new token",
    befall: (cloud) =>
      cloud.set({
        refresh: "refuses",
        troubles: [{ match: isOfApi, act: "answer", status: 401, json: { detail: "Not authenticated" } }],
      }),
    says: /You are not logged in to the cloud/,
    wayOut: /bm cloud login/,
    code: "credentials",
  },
  answering("403 for want of a tenant", 403, {
    detail: "Tenant not found",
    says: /There is no cloud storage for this account - Tenant not found/,
    wayOut: /open the cloud once in a browser, or ask its support/,
    code: "not_found",
  }),
  answering("404", 404, {
    detail: "Not Found",
    says: /The cloud does not know it - Not Found/,
    wayOut: /bm cloud status --verbose/,
    code: "not_found",
  }),
  answering("429", 429, {
    detail: "slow down",
    says: /The cloud refused the request \(429\) - slow down/,
    wayOut: /again/,
    code: "cloud_unreachable",
  }),
  answering("500 without a word", 500, {
    says: /The cloud is unavailable \(500\)/,
    wayOut: /again/,
    code: "cloud_unreachable",
  }),
  answering("503", 503, {
    detail: "down for maintenance",
    says: /The cloud is unavailable \(503\) - down for maintenance/,
    wayOut: /again/,
    code: "cloud_unreachable",
  }),
  acting("a gateway's page about its 502", { act: "html", status: 502 }, badGateway()),
  acting("a sign-in page", { act: "html" }, notTheService()),
  {
    ...acting("JSON of another kind", { act: "answer", status: 200, json: "hello" }, notTheService()),
    isSeenWhereRead: true,
  },
  ...([301, 302, 307, 308] as const).map(
    (status): ServiceTrouble => ({
      name: `a redirect to another host, ${status}`,
      befall: (cloud) =>
        cloud.set({ troubles: [{ match: isOfApi, act: "redirect", to: cloud.elsewhere.url, status }] }),
      says: /The cloud sends elsewhere \(http:\/\/localhost:\d+\), where no login is sent to/,
      wayOut: /cloud_host/,
      code: "cloud_unreachable",
    }),
  ),
  acting("a connection that breaks", { act: "refuse" }, cannotReach("ECONNRESET")),
  acting("an answer that is lost", { act: "lose_response" }, cannotReach("ECONNRESET")),
]

/** What takes its time: nobody answers, or stops in the middle. */
export const HANGING: readonly ServiceTrouble[] = [
  acting("no answer", { act: "hang" }, cannotReach("ETIMEDOUT")),
  acting("half an answer", { act: "hang_in_body" }, cannotReach("ETIMEDOUT")),
]

/** For `test.each`, by name. */
export const EACH_TROUBLE = TROUBLES.map((trouble) => [trouble.name, trouble] as const)

/** The login itself goes well. */
export function isOfApi({ path }: Asked): boolean {
  return !path.startsWith("/oauth2/")
}

/** As the stand-in usually is. */
export function heal(cloud: Cloud): void {
  cloud.set({ isSubscribed: true, hasTenant: true, troubles: [], polls: [], refresh: "rotates" })
}

type Told = Pick<ServiceTrouble, "says" | "wayOut" | "code">

type Plain = Trouble extends infer Each
  ? Each extends Trouble
    ? Omit<Each, "match" | "times">
    : never
  : never

function acting(name: string, trouble: Plain, told: Told): ServiceTrouble {
  return { name, befall: (cloud) => cloud.set({ troubles: [{ match: isOfApi, ...trouble }] }), ...told }
}

function answering(
  name: string,
  status: number,
  { detail, ...told }: Told & { readonly detail?: string },
): ServiceTrouble {
  return acting(name, { act: "answer", status, json: detail === undefined ? {} : { detail } }, told)
}

function notTheService(): Told {
  return {
    says: /What answers there is not the cloud service/,
    wayOut: /cloud_host/,
    code: "cloud_unreachable",
  }
}

function badGateway(): Told {
  return { says: /The cloud is unavailable \(502\)/, wayOut: /again/, code: "cloud_unreachable" }
}

function cannotReach(word: string): Told {
  return {
    says: new RegExp(`Cannot reach the cloud \\(${word}\\)`),
    wayOut: /look whether the network is up/,
    code: "cloud_unreachable",
  }
}
