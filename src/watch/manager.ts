/** What an installed service stands on: the machine, and a manager of services as both of them can be asked. */

import type { Result } from "../model/result.ts"
import type { ServiceRefusal, Unfit } from "../model/service-refusal.ts"
import type { ManagerName, ServiceSpec } from "./service.ts"

/** Runs a program by name or path, without a shell and without input; a code of 127 says that it is not there. */
export type RunProgram = (program: string, args: readonly string[]) => Promise<Ran>

export interface Ran {
  readonly code: number
  /** What it said, on both streams. */
  readonly text: string
}

export interface Machine {
  readonly platform: NodeJS.Platform
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly home: string
  readonly user: { readonly name: string; readonly id: number }
  readonly isThere: (path: string) => boolean
  readonly run: RunProgram
  readonly wait: (ms: number) => Promise<void>
}

/** How the service stands with its manager, whatever is in the file. */
export interface Standing {
  /** Something is left of it there. */
  readonly isKnown: boolean
  /** Nothing would have to be done if the file was as wished. */
  readonly isUp: boolean
  readonly isRunning: boolean
}

export interface Manager {
  readonly name: ManagerName
  readonly file: string
  /** Where it writes what the watcher says, if that is a file. */
  readonly logFile?: string
  text(spec: ServiceSpec): Result<string, Unfit>
  look(): Promise<Standing>
  /** Starts it, now and at each login; what ran with another text is replaced. */
  bringUp(at: { readonly isFileNew: boolean; readonly before: Standing }): Promise<Done>
  /** Stops it and lets it start no more; the file is still there. */
  takeDown(before: Standing): Promise<Done>
  /** The file is gone. */
  forget(): Promise<Done>
  /** Whether it goes on when the user logs out; `undefined` where that is no question, or not known. */
  linger(): Promise<boolean | undefined>
}

export type Done = Result<void, ServiceRefusal>
