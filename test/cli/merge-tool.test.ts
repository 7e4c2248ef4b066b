import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { openTool } from "../../src/cli/merge-tool.ts"
import { type CliDevice, CliWorld, writeAt } from "./cli-world.ts"
import { editBoth, NEAR, onlyId, OPEN } from "./conflict-world.ts"

let world: CliWorld
let a: CliDevice
let b: CliDevice

beforeEach(async () => {
  world = new CliWorld()
  a = await world.device("a")
  b = await world.device("b")
  b.isInteractive = true
})
afterEach(() => world.dispose())

/** A merge program: a script of Node that gets the four files as its arguments. */
function toolOf(script: string): string {
  const file = join(world.root, "tool.mjs")
  writeAt(
    file,
    `import { readFileSync, writeFileSync } from "node:fs"\nconst [base, here, cloud, merged] = process.argv.slice(2)\n${script}\n`,
  )
  return `${process.execPath} ${file} $BASE $LOCAL $REMOTE $MERGED`
}

function configure(device: CliDevice, mergetool: string): void {
  const file = join(device.place.stateRoot, "config.json")
  const config = JSON.parse(readFileSync(file, "utf8"))
  writeFileSync(file, JSON.stringify({ ...config, bisync_config: { ...config.bisync_config, mergetool } }))
}

const JOIN =
  'writeFileSync(merged, ["base", base, "here", here, "cloud", cloud].map((x, i) => i % 2 ? readFileSync(x, "utf8") : "").join(""))'

test("takes what the program saved for the resolution of a conflict", async () => {
  await editBoth([a, b], { base: "base\n", a: "A\n", b: "B\n", ...OPEN })
  configure(b, toolOf(JOIN))
  const { code, err } = await b.bm("cloud", "conflicts", "resolve", await onlyId(b), "--tool")
  expect([code, err]).toEqual([0, ""])
  expect(world.tree()).toEqual({ "n.md": "base\nB\nA\n" })
})

test("does not take a merge of versions that changed while the program was open", async () => {
  await editBoth([a, b], { base: "base\n", a: "A\n", b: "B\n", ...OPEN })
  configure(
    b,
    toolOf(`${JOIN}; writeFileSync(${JSON.stringify(join(b.dir, "n.md.conflict1"))}, "edited meanwhile\\n")`),
  )
  const { code } = await b.bm("cloud", "conflicts", "resolve", await onlyId(b), "--tool")
  expect(code).toBe(5)
  expect(b.read("n.md.conflict1")).toBe("edited meanwhile\n")
})

test("leaves the conflict open where the program fails or is not there", async () => {
  await editBoth([a, b], { ...NEAR, ...OPEN })
  const before = b.tree()
  for (const tool of [toolOf("process.exit(3)"), "no-such-program-anywhere"]) {
    configure(b, tool)
    const { code, err } = await b.bm("cloud", "conflicts", "resolve", await onlyId(b), "--tool")
    expect(code).toBe(1)
    expect(err).toMatch(/^Error: Cannot open the merge tool - /m)
  }
  expect(b.tree()).toEqual(before)
})

test("gives a command no shell, and takes git's tool of the user only", async () => {
  const files = { local: Buffer.from("l"), remote: Buffer.from("r") }
  const at = { home: b.home, name: "n.md", env: { PATH: process.env.PATH, HOME: b.home } }
  const pwned = join(world.root, "pwned")
  expect(await openTool(`true ;touch ${pwned}`, files, at)).toMatchObject({ kind: "closed" })
  expect(existsSync(pwned)).toBe(false)
  expect(await openTool(undefined, files, at)).toMatchObject({ kind: "failed", why: "none is named" })
  writeAt(join(b.home, ".gitconfig"), "[merge]\n  tool = true\n")
  expect(await openTool(undefined, files, at)).toMatchObject({ kind: "closed" })
})
