import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "threads",
    // Most of them wait for processes and servers most of the time.
    maxWorkers: Math.max(2, availableParallelism()),
    isolate: false,
    testTimeout: 120_000,
    // In the gate, on machines that others share, a wait may be too short once. What is tried again is named in the report.
    retry: process.env["BM_REQUIRE"] === undefined ? 0 : 1,
    // As the command does it: what the SDK says of old versions of Node is for us, not for whoever reads the tests.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
    // Its module build imports a directory, which only a bundler resolves.
    server: { deps: { inline: ["clipanion"] } },
  },
})
