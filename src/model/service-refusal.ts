/** Why a watcher was not installed as a service of its user, or not removed, as values. */

export type ServiceRefusal =
  | { readonly kind: "container" }
  /** `text` is what the manager said, where there is one on such a platform. */
  | { readonly kind: "no_manager"; readonly platform: string; readonly text?: string }
  | ({ readonly kind: "unfit" } & Unfit)
  | { readonly kind: "file_failed"; readonly file: string; readonly word: string }
  | {
      readonly kind: "command_failed"
      readonly command: string
      readonly code: number
      readonly text: string
    }

/** What cannot be written into a service file so that the manager reads the same. */
export interface Unfit {
  /** A word of the command, or the name of a variable. */
  readonly what: string
  readonly why: "not_absolute" | "control_character" | "special_character" | "secret"
}
