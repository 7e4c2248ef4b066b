// The servers and the proxy of the tests, for the benches: they are TypeScript, so they are bundled first.
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { build } from "esbuild"

export async function loadServers() {
  const outfile = resolve(import.meta.dirname, "../node_modules/.cache/bm-bench-servers.mjs")
  await build({
    stdin: {
      contents: 'export * from "./server.ts"\nexport * from "./proxy.ts"',
      resolveDir: resolve(import.meta.dirname, "../test/servers"),
    },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
    logLevel: "error",
  })
  return import(pathToFileURL(outfile).href)
}
