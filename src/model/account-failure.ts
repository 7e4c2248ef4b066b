/** What goes wrong with a cloud account, as values: the service, the login, the file with the tokens, the settings. */

export type CloudFailure =
  /** `word` is the system's, such as `ECONNREFUSED`; `ETIMEDOUT` where nobody answered in time. */
  | { readonly kind: "unreachable"; readonly word: string }
  /** No token here, or none that is accepted or can be refreshed: log in. */
  | { readonly kind: "not_authenticated" }
  /** `subscribeUrl` is absent where the server gave none that is safe to show. */
  | { readonly kind: "subscription_required"; readonly message: string; readonly subscribeUrl?: string }
  | { readonly kind: "no_tenant"; readonly detail?: string }
  | { readonly kind: "denied"; readonly detail?: string }
  | { readonly kind: "not_found"; readonly detail?: string }
  /** Any other 4xx. */
  | { readonly kind: "refused"; readonly status: number; readonly detail?: string }
  | { readonly kind: "server_error"; readonly status: number; readonly detail?: string }
  /** Never followed; `origin` is where it led, where that is safe to show. */
  | { readonly kind: "redirected"; readonly status: number; readonly origin?: string }
  /** What answers is not the service: a sign-in page of some network, or something that is not what was promised. */
  | { readonly kind: "nonsense"; readonly what: Nonsense; readonly field?: string }
  /** The file with the tokens; `word` is the system's, or what is wrong with it. */
  | { readonly kind: "token_file"; readonly file: string; readonly word: string }

export type Nonsense = "page" | "not_json" | "too_large" | "compressed" | "shape"

export type LoginFailure =
  | CloudFailure
  | { readonly kind: "login_denied" }
  /** Nobody agreed in time. */
  | { readonly kind: "login_expired" }
  /** Any other word of OAuth, such as `invalid_client`. */
  | { readonly kind: "login_refused"; readonly word: string }

/** A setting that names a host and cannot be used. */
export interface HostFailure {
  readonly kind: "host"
  /** Its name in config.json or in the environment. */
  readonly setting: string
  readonly why: "not_a_url" | "not_safe" | "has_parameters" | "not_a_name"
}

export type AccountFailure = LoginFailure | HostFailure
