/**
 * A part of the product as one file that a process of its own can run.
 */

import { build } from "esbuild"
import { basename, join, resolve } from "node:path"

const ROOT = resolve(import.meta.dirname, "../..")

/** Its path, for `import()`. */
export async function bundle(of: { readonly entry: string; readonly directory: string }): Promise<string> {
  const outfile = join(of.directory, basename(of.entry).replace(/\.ts$/, ".mjs"))
  await build({
    entryPoints: [join(ROOT, of.entry)],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    logLevel: "error",
  })
  return outfile
}
