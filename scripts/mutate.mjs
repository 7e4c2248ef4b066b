// The mutation gate: takes one safeguard out of the program at a time and expects a test to notice.
//
//     node scripts/mutate.mjs              all of test/mutants.mjs
//     node scripts/mutate.mjs --only m07   some of them, by id, separated by commas
//     node scripts/mutate.mjs --list       what there is
//
// Works on copies in the temporary directory; the working tree is never touched. A mutant is caught only if its tests
// pass without it, and one of them fails with it. One that survives, that no longer matches the source exactly once,
// or that merely keeps the program from loading is a failure of the gate.
import { spawn } from "node:child_process"
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { MUTANTS } from "../test/mutants.mjs"

const ROOT = fileURLToPath(new URL("..", import.meta.url))
const COPIED = ["src", "test", "fixtures", "package.json", "tsconfig.json", "vitest.config.ts"]
const RUN_MS_MAX = 180_000

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    list: { type: "boolean", default: false },
    jobs: { type: "string", default: "2" },
  },
})
const chosen = chooseMutants(options.only)
const running = new Set()
const directory = options.list ? undefined : mkdtempSync(join(tmpdir(), "bm-mutants-"))
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => end(130))

if (directory === undefined) {
  for (const mutant of chosen) console.log(`${mutant.id}  ${mutant.guards.padEnd(12)}  ${mutant.without}`)
} else {
  try {
    end(await runGate(chosen, directory))
  } catch (error) {
    console.error(error)
    end(1)
  }
}

function chooseMutants(only) {
  const ids = only?.split(",")
  const unknown = ids?.filter((id) => !MUTANTS.some((mutant) => mutant.id === id)) ?? []
  if (unknown.length > 0) throw new Error(`no mutant ${unknown.join(", ")}`)
  if (new Set(MUTANTS.map(({ id }) => id)).size < MUTANTS.length) throw new Error("two mutants have one id")
  return MUTANTS.filter(({ id }) => ids?.includes(id) ?? true)
}

async function runGate(mutants, root) {
  const began = performance.now()
  const queue = [...mutants]
  const results = []
  const passing = new Map()
  const lane = async (name) => {
    const copy = copyTree(join(root, name))
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const result = await tryMutant(copy, mutant, passing)
      results.push(result)
      console.log(line(result))
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Number(options.jobs)) }, (_, at) => lane(`copy-${at}`)))
  const bad = results.filter(({ verdict }) => verdict !== "caught")
  const seconds = ((performance.now() - began) / 1000).toFixed(0)
  console.log(`\n${results.length - bad.length} of ${results.length} mutants caught in ${seconds} s`)
  for (const result of bad) console.log(line(result))
  return bad.length === 0 ? 0 : 1
}

function line({ mutant, verdict, detail, ms }) {
  const seconds = `${(ms / 1000).toFixed(1)} s`.padStart(7)
  return `${mutant.id}  ${verdict.padEnd(8)} ${seconds}  ${mutant.guards.padEnd(12)}  ${mutant.without}\n      ${detail}`
}

/** The packages are linked one by one, so that what a test run caches beside them stays in the copy. */
function copyTree(to) {
  mkdirSync(join(to, "node_modules"), { recursive: true })
  for (const name of COPIED) cpSync(join(ROOT, name), join(to, name), { recursive: true })
  for (const name of readdirSync(join(ROOT, "node_modules")))
    if (!name.startsWith(".")) symlinkSync(join(ROOT, "node_modules", name), join(to, "node_modules", name))
  return to
}

async function tryMutant(copy, mutant, passing) {
  const began = performance.now()
  const answer = (verdict, detail) => ({ mutant, verdict, detail, ms: performance.now() - began })
  const edits = [mutant, ...(mutant.and ?? [])]
  const originals = new Map(edits.map(({ file }) => [file, readFileSync(join(copy, file), "utf8")]))
  const texts = new Map(originals)
  for (const { file, find, replace } of edits) {
    const parts = texts.get(file).split(find)
    if (parts.length !== 2)
      return answer("stale", `${file} holds ${parts.length - 1} of: ${find.split("\n")[0]}`)
    texts.set(file, parts.join(replace))
  }
  const key = JSON.stringify([mutant.tests, mutant.title, mutant.env])
  if (!passing.has(key)) passing.set(key, runTests(copy, mutant))
  const before = await passing.get(key)
  if (before.failed !== undefined || before.broken !== undefined)
    return answer("red", `fails without it: ${before.failed ?? before.broken}`)
  if (before.passed === 0) return answer("red", `no such test: ${mutant.title ?? mutant.tests.join(" ")}`)
  for (const [file, text] of texts) writeFileSync(join(copy, file), text)
  try {
    const after = await runTests(copy, mutant)
    if (after.failed !== undefined) return answer("caught", after.failed)
    if (after.broken !== undefined) return answer("broken", after.broken)
    return answer("SURVIVED", `${mutant.tests.join(" ")} ${mutant.title ?? ""}`)
  } finally {
    for (const [file, text] of originals) writeFileSync(join(copy, file), text)
  }
}

function runTests(copy, { tests, title, env = {} }) {
  const report = join(copy, "report.json")
  rmSync(report, { force: true })
  const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs")
  const filter = title === undefined ? [] : ["-t", title.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")]
  const args = [
    vitest,
    "run",
    "--bail",
    "1",
    "--reporter",
    "json",
    "--outputFile",
    report,
    ...filter,
    ...tests,
  ]
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: copy,
      env: { ...process.env, ...env },
      stdio: "ignore",
    })
    running.add(child)
    const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX)
    child.once("error", reject)
    child.once("exit", () => {
      clearTimeout(timer)
      running.delete(child)
      resolve(readReport(report))
    })
  })
}

function readReport(report) {
  let files
  try {
    files = JSON.parse(readFileSync(report, "utf8")).testResults
  } catch {
    return { passed: 0, broken: `no answer within ${RUN_MS_MAX / 1000} s` }
  }
  const all = files.flatMap(({ assertionResults }) => assertionResults)
  const failed = all.find(({ status }) => status === "failed")
  const passed = all.filter(({ status }) => status === "passed").length
  if (failed !== undefined) return { passed, failed: failed.fullName }
  const broken = files.find(({ status }) => status === "failed")
  return broken === undefined ? { passed } : { passed, broken: broken.message.split("\n")[0] }
}

/** What a stopped gate began does not go on without it. */
function end(code) {
  for (const child of running) child.kill("SIGKILL")
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
  process.exit(code)
}
