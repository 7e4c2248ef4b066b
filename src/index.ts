/** The public surface: what the command line calls, and what a program may call. */

export { bisync, type BisyncOptions, type Ran } from "./engine/bisync.ts"
export { setup, type SetupOptions, type SetupReport } from "./engine/setup.ts"
