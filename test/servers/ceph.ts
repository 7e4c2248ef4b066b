/**
 * Ceph's object gateway on one machine: a monitor, one OSD that keeps everything in memory, and the gateway, all on
 * loopback and below one directory.
 *
 *   keyring, map ─▶ mon ─▶ `osd new` ─▶ osd ─▶ rgw ─▶ a user with our keys
 *
 * A cluster of one: pools of size 1, few placement groups, no manager and no metadata server. Nothing survives a stop.
 */

import { execFile } from "node:child_process"
import { randomUUID } from "node:crypto"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { freePort, type ServerProcess, startProcess } from "./process.ts"
import type { Place, Started } from "./server.ts"

const COMMAND_MS_MAX = 60_000
const STORE_BYTES_MAX = 4 * 1024 ** 3

const runFile = promisify(execFile)

export async function startCeph(place: Place): Promise<Started> {
  const { directory, root } = place
  const cluster = randomUUID()
  const monitor = `[v2:127.0.0.1:${await freePort()},v1:127.0.0.1:${await freePort()}]`
  for (const each of ["mon", "osd", "run"]) mkdirSync(join(root, each))
  const configuration = join(root, "ceph.conf")
  writeFileSync(configuration, configurationOf({ root, cluster, monitor, port: place.port }))
  await createKeys(root)
  const map = join(root, "monmap")
  await run("monmaptool", ["--create", "--fsid", cluster, "--addv", "a", monitor, map])
  const common = ["-c", configuration]
  const started: ServerProcess[] = []
  const start = (path: string, args: readonly string[]): ServerProcess => {
    const one = startProcess({
      path,
      // In the foreground, and what it has to say on its error output.
      args: [...common, ...args, "-f"],
      logPath: join(directory, `log-${started.length}`),
    })
    started.push(one)
    return one
  }
  try {
    const keyring = join(root, "keyring")
    await run("ceph-mon", [...common, "--mkfs", "-i", "a", "--monmap", map, "--keyring", keyring])
    start("ceph-mon", ["-i", "a"])
    const osd = randomUUID()
    // Waits for the monitor by itself.
    await run("ceph", [...common, "osd", "new", osd])
    await run("ceph-osd", [...common, "-i", "0", "--mkfs", "--osd-uuid", osd])
    start("ceph-osd", ["-i", "0"])
    const main = start(place.path, ["-n", "client.rgw"])
    const keys = ["--access-key", place.keys.accessKeyId, "--secret", place.keys.secretAccessKey]
    await run("radosgw-admin", [...common, "user", "create", "--uid", "bm", "--display-name", "bm", ...keys])
    return { main, others: started.filter((each) => each !== main) }
  } catch (error) {
    await Promise.all(started.map((each) => each.stop()))
    throw error
  }
}

async function createKeys(root: string): Promise<void> {
  const users = [
    { name: "mon.", mon: "allow *" },
    { name: "client.admin", mon: "allow *", osd: "allow *" },
    { name: "client.rgw", mon: "allow rwx", osd: "allow rwx" },
    { name: "osd.0", mon: "allow profile osd", osd: "allow *" },
  ]
  for (const [index, { name, mon, osd }] of users.entries()) {
    const first = index === 0 ? ["--create-keyring"] : []
    const may = ["--cap", "mon", mon, ...(osd === undefined ? [] : ["--cap", "osd", osd])]
    await run("ceph-authtool", [...first, join(root, "keyring"), "--gen-key", "-n", name, ...may])
  }
}

function configurationOf(options: {
  readonly root: string
  readonly cluster: string
  readonly monitor: string
  readonly port: number
}): string {
  const { root, cluster, monitor, port } = options
  const settings: Readonly<Record<string, string | number | boolean>> = {
    fsid: cluster,
    mon_initial_members: "a",
    mon_host: monitor,
    public_addr: "127.0.0.1",
    cluster_addr: "127.0.0.1",
    keyring: join(root, "keyring"),
    run_dir: join(root, "run"),
    admin_socket: join(root, "run", "$name.asok"),
    log_to_file: false,
    log_to_stderr: true,
    mon_data: join(root, "mon"),
    osd_data: join(root, "osd"),
    osd_objectstore: "memstore",
    memstore_device_bytes: STORE_BYTES_MAX,
    // A laptop with a full disk is no reason to stop: nothing of weight is kept there.
    mon_data_avail_crit: 1,
    mon_data_avail_warn: 2,
    auth_allow_insecure_global_id_reclaim: false,
    mon_allow_pool_size_one: true,
    osd_pool_default_size: 1,
    osd_pool_default_min_size: 1,
    osd_pool_default_pg_num: 4,
    osd_pool_default_pgp_num: 4,
    osd_pool_default_pg_autoscale_mode: "off",
    osd_crush_chooseleaf_type: 0,
    mon_max_pg_per_osd: 1000,
    // The monitor agrees with itself: waiting for others only makes the start slow.
    paxos_propose_interval: 0.05,
    paxos_min_wait: 0.01,
    mon_tick_interval: 1,
    rgw_frontends: `beast tcp_nodelay=1 endpoint=127.0.0.1:${port}`,
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  return ["[global]", ...lines, ""].join("\n")
}

async function run(command: string, args: readonly string[]): Promise<void> {
  // A failure says the command and what it printed, and ends the start.
  await runFile(command, [...args], { timeout: COMMAND_MS_MAX })
}
