/**
 * Where rclone.conf lies: the same place where rclone itself would look, in the same order.
 *
 * Pure but for one question, whether a file is there. Source: rclone `fs/config/config.go`, `makeConfigPath`.
 */

import { basename, dirname, join, resolve } from "node:path"
import type { Environment } from "./find.ts"

export interface ConfPlace {
  readonly platform: NodeJS.Platform
  readonly environment: Environment
  readonly home: string
  /** What relative paths of the environment are relative to. */
  readonly cwd: string
  /** Where rclone is, if it is; a file beside it goes before all others but the one that is named. */
  readonly program?: string
  readonly isThere: (path: string) => boolean
}

const NAME = "rclone.conf"
const OLD_NAME = ".rclone.conf"

/** An absolute path, there or not; `undefined` where the environment tells rclone to keep no file. */
export function confPath(at: ConfPlace): string | undefined {
  const named = at.environment.RCLONE_CONFIG
  if (named !== undefined) return isNoFile(named, at.platform) ? undefined : resolve(at.cwd, named)
  const places = usualPlaces(at)
  return places.find(({ path }) => at.isThere(path))?.path ?? places.find(({ isForNew }) => isForNew)?.path
}

/** rclone then remembers its settings only as long as it runs. */
function isNoFile(named: string, platform: NodeJS.Platform): boolean {
  const nothing = platform === "win32" ? "NUL" : "/dev/null"
  return named === "" || named === nothing || basename(named) === "notfound"
}

function usualPlaces({ platform, environment, home, cwd, program }: ConfPlace): readonly {
  readonly path: string
  /** A file that is not there yet may be made here. */
  readonly isForNew: boolean
}[] {
  const isWindows = platform === "win32"
  const below = (directory: string) => resolve(cwd, directory, "rclone", NAME)
  const { APPDATA: roaming, XDG_CONFIG_HOME: configHome } = environment
  return [
    ...(program === undefined ? [] : [{ path: join(dirname(program), NAME), isForNew: false }]),
    ...(isWindows && hasText(roaming) ? [{ path: below(roaming), isForNew: true }] : []),
    ...(hasText(configHome) ? [{ path: below(configHome), isForNew: !isWindows }] : []),
    { path: below(join(home, ".config")), isForNew: true },
    { path: join(home, OLD_NAME), isForNew: false },
  ]
}

function hasText(value: string | undefined): value is string {
  return value !== undefined && value !== ""
}
