/** Scratch. */
import { test } from "vitest"
import { describeServer } from "../servers/describe-server.ts"
import { put } from "./bm.ts"
import { counted, newS3World } from "./s3-world.ts"
import { rmSync, mkdirSync, renameSync } from "node:fs"
import { join } from "node:path"

describeServer("versitygw", (server) => {
  test("x", async () => {
    const w = await newS3World(server())
    const a = w.device("a")
    for (let i = 0; i < 3003; i++) put(a.dir, `d${i % 50}/n${i}.md`, `note ${i}\n`)
    const t = async (what: string, work: () => Promise<{ out: string; err: string; exit: number | null }>) => {
      w.proxy.reset()
      const s = Date.now()
      const r = await work()
      console.log(what, Date.now() - s, r.exit, r.out.slice(0, 800), r.err.slice(0, 800), JSON.stringify(counted(w.proxy)))
    }
    await t("setup", () => a.run("cloud", "bisync-setup", "--dir", a.dir, "--remote", w.url))
    await t("first", () => a.bisync())
    await t("again", () => a.bisync())
    await t("again2", () => a.bisync())
    await t("again3", () => a.bisync("--json"))
    put(a.dir, "d1/n1.md", "edited\n")
    await t("edited", () => a.bisync())
    await t("nothing", () => a.bisync())
    rmSync(join(a.dir, "d2/n2.md"))
    await t("delete", () => a.bisync())
    await t("nothing", () => a.bisync())
    mkdirSync(join(a.dir, "moved"))
    renameSync(join(a.dir, "d3"), join(a.dir, "moved/d3"))
    await t("move", () => a.bisync())
    put(a.dir, "d1/n1.md", "edited again\n")
    await t("dry", () => a.bisync("--dry-run"))
    const b = w.device("b")
    await t("setup b", () => b.run("cloud", "bisync-setup", "--dir", b.dir, "--remote", w.url))
    await t("first b", () => b.bisync())
    await t("b nothing", () => b.bisync())
    await t("a", () => a.bisync())
    await t("b", () => b.bisync())
  }, 300_000)
})
