/** Devices that sync with a real S3 server, in this process: whose environment is what the library looks at. */

import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { AskCredentials, Place } from "../../src/index.ts"
import { setup } from "../../src/index.ts"
import { CliDevice, type CliWorld, type Ran } from "./cli-world.ts"

export interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** Nothing of the tester's own settings is found. */
const NOWHERE = {
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
}
const NAMES = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"]

export class StoreDevice extends CliDevice {
  /** In the environment; none where absent. */
  keys: Keys | undefined

  constructor(world: CliWorld, name: string, keys?: Keys) {
    super(world, name)
    this.keys = keys
  }

  override get place(): Place {
    return {
      home: this.home,
      stateRoot: join(this.home, ".basic-memory"),
      hasKeysInEnvironment: this.keys !== undefined,
    }
  }

  override bm(...args: readonly string[]): Promise<Ran> {
    return withEnvironment(this.keys, () => super.bm(...args))
  }

  setUp(url: string, ...flags: readonly string[]): Promise<Ran> {
    return this.bm("cloud", "bisync-setup", "--dir", this.dir, "--remote", url, ...flags)
  }

  /** As on a terminal, with the answer that a user would give there. */
  setUpAsked(url: string, askCredentials: AskCredentials): ReturnType<typeof setup> {
    return withEnvironment(this.keys, () =>
      setup(this.place, {
        dir: this.dir,
        remote: url,
        defaultDeviceName: "asked",
        isDryRun: false,
        holder: this.holder("bm cloud bisync-setup"),
        askCredentials,
      }),
    )
  }

  state(): string {
    return join(this.place.stateRoot, "bisync-state", this.config().stateKey)
  }

  /** As if the remote had moved. */
  moveTo(url: string): void {
    const file = join(this.place.stateRoot, "config.json")
    const config = JSON.parse(readFileSync(file, "utf8"))
    config.bisync_config.remote = url
    writeFileSync(file, JSON.stringify(config))
  }
}

async function withEnvironment<T>(keys: Keys | undefined, work: () => Promise<T>): Promise<T> {
  const before = { ...process.env }
  for (const name of NAMES) delete process.env[name]
  Object.assign(process.env, NOWHERE)
  if (keys !== undefined) {
    process.env["AWS_ACCESS_KEY_ID"] = keys.accessKeyId
    process.env["AWS_SECRET_ACCESS_KEY"] = keys.secretAccessKey
  }
  try {
    return await work()
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
    Object.assign(process.env, before)
  }
}
