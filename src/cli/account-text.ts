/** Texts of what goes wrong with a cloud account: each cause with its own sentence and its own way out. */

import type { SyncError } from "../index.ts"
import type { ErrorText, Fix } from "./error-text.ts"
import { escapeForTerminal } from "./format.ts"

type Failure = Extract<SyncError, { code: "account" }>["failure"]

const LOGIN: Fix = { command: "bm cloud login", text: "log in, in a browser" }
/** There is nothing else to do. */
export const LATER: Fix = { text: "try again later; files sync without it where a setup was done" }

export function accountError({ failure }: Extract<SyncError, { code: "account" }>): ErrorText {
  return { exit: 1, ...told(failure) }
}

type Told = Omit<ErrorText, "exit"> & { readonly exit?: number }

function told(failure: Failure): Told {
  switch (failure.kind) {
    case "not_authenticated":
      return { code: "credentials", message: "You are not logged in to the cloud", fix: [LOGIN] }
    case "subscription_required":
      return subscription(failure)
    case "no_tenant":
      return {
        code: "not_found",
        message: `There is no cloud storage for this account${said(failure.detail)}`,
        why: "the login is good, but no tenant belongs to it",
        fix: [{ text: "open the cloud once in a browser, or ask its support" }, LOGIN],
      }
    case "denied":
      return {
        code: "credentials",
        message: `The cloud does not allow this${said(failure.detail)}`,
        fix: [LOGIN],
      }
    case "not_found":
      return {
        code: "not_found",
        message: `The cloud does not know it${said(failure.detail)}`,
        fix: [{ command: "bm cloud status --verbose", text: "see its projects" }],
      }
    case "refused":
      return {
        code: "cloud_unreachable",
        message: `The cloud refused the request (${failure.status})${said(failure.detail)}`,
        fix: [LATER],
      }
    case "login_denied":
      return { code: "credentials", message: "The login was denied in the browser", fix: [LOGIN] }
    case "login_expired":
      return {
        code: "credentials",
        message: "Nobody confirmed the login in time",
        fix: [LOGIN],
      }
    case "login_refused":
      return {
        code: "credentials",
        message: `The login was refused (${escapeForTerminal(failure.word)})`,
        fix: [LOGIN],
      }
    default:
      return toldOfService(failure)
  }
}

type OfService = Extract<
  Failure,
  { kind: "unreachable" | "server_error" | "redirected" | "nonsense" | "token_file" | "host" }
>

function toldOfService(failure: OfService): Told {
  switch (failure.kind) {
    case "unreachable":
      return {
        code: "cloud_unreachable",
        message: `Cannot reach the cloud (${escapeForTerminal(failure.word)})`,
        fix: [{ text: "look whether the network is up" }, LATER],
      }
    case "server_error":
      return {
        code: "cloud_unreachable",
        message: `The cloud is unavailable (${failure.status})${said(failure.detail)}`,
        fix: [LATER],
      }
    case "redirected":
      return {
        code: "cloud_unreachable",
        message: `The cloud sends elsewhere${failure.origin === undefined ? "" : ` (${escapeForTerminal(failure.origin)})`}, where no login is sent to`,
        fix: [{ text: "look whether the network asks for a sign-in, and whether cloud_host is right" }],
      }
    case "nonsense":
      return {
        code: "cloud_unreachable",
        message: "What answers there is not the cloud service",
        why: "its answer is not one that the service gives; it may be a proxy or a sign-in page of the network",
        fix: [{ text: "open a web page to see who answers, and look whether cloud_host is right" }],
      }
    case "token_file":
      return {
        code: "credentials",
        message: `Cannot use the file of the login - ${escapeForTerminal(failure.word)}`,
        where: { lines: [escapeForTerminal(failure.file)], data: { path: failure.file } },
        fix: [{ command: "bm cloud logout", text: "remove it; then log in again" }, LOGIN],
      }
    case "host":
      return {
        exit: 64,
        code: "usage",
        message: `${failure.setting} is not a host that can be used: ${HOST[failure.why]}`,
        fix: [{ text: "write it as https://host, without a path that has ? or #" }],
      }
  }
}

const HOST: Readonly<Record<Extract<Failure, { kind: "host" }>["why"], string>> = {
  not_a_url: "it is no URL",
  not_safe: "secrets go to https: only, or to this machine",
  has_parameters: "it has parameters",
  not_a_name: "it is not the name of a client",
}

function subscription({ message, subscribeUrl }: Extract<Failure, { kind: "subscription_required" }>): Told {
  return {
    code: "credentials",
    message: escapeForTerminal(message),
    fix: [
      subscribeUrl === undefined
        ? { text: "subscribe in the browser, then run it again" }
        : { text: `subscribe at ${escapeForTerminal(subscribeUrl)} and run it again` },
    ],
  }
}

function said(detail: string | undefined): string {
  return detail === undefined ? "" : ` - ${escapeForTerminal(detail)}`
}
