import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "threads",
    isolate: false,
    testTimeout: 120_000,
    // Its module build imports a directory, which only a bundler resolves.
    server: { deps: { inline: ["clipanion"] } },
  },
})
