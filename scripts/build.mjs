// Bundles the command and the library. Of the database only the native part stays outside the
// bundle, for finding and reading its thirty small files takes longer than opening it; what a command
// may not need (git, the engine) stays in chunks of its own, loaded on first use, so that
// `bm --help` costs little more than Node itself.
import { chmodSync, readFileSync, renameSync, rmSync } from "node:fs"
import { build } from "esbuild"

// Found from `level`, which is ours to depend on, wherever the package manager put what that depends on.
const NATIVE = `
  const { createRequire } = require("node:module")
  module.exports = createRequire(require.resolve("level"))("classic-level/binding.js")
`
const nativeDatabase = {
  name: "native-database",
  setup(build) {
    build.onLoad({ filter: /[\\/]classic-level[\\/]binding\.js$/ }, () => ({
      contents: NATIVE,
      loader: "js",
    }))
  },
}

const { version } = JSON.parse(readFileSync("package.json", "utf8"))
if (!readFileSync("src/cli/version.ts", "utf8").includes(`"${version}"`)) {
  throw new Error(`src/cli/version.ts does not say ${version}, as package.json does`)
}

// Built aside, so that a command that starts meanwhile finds the old one, whole.
const aside = `dist.${process.pid}`
await build({
  entryPoints: { main: "src/cli/main.ts", index: "src/index.ts" },
  outdir: aside,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  // Of packages that come as both, the one whose unused parts can be left out.
  mainFields: ["module", "main"],
  plugins: [nativeDatabase],
  chunkNames: "chunks/[name]-[hash]",
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  sourcemap: "linked",
  legalComments: "linked",
  logLevel: "warning",
})
chmodSync(`${aside}/main.js`, 0o755)
rmSync("dist", { recursive: true, force: true })
renameSync(aside, "dist")
