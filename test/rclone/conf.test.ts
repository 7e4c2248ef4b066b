/** rclone.conf in bytes: read as rclone reads it, and changed in one section only. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import {
  type Conf,
  type ConfSection,
  findSection,
  parseConf,
  putSection,
  removeSection,
  sectionNames,
} from "../../src/rclone/conf.ts"
import { describeEachRclone } from "./real-rclone.ts"

let root = ""
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bm-conf-"))
})
afterEach(() => rmSync(root, { recursive: true }))

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)

function mustParse(text: string | Uint8Array): Conf {
  const parsed = parseConf(typeof text === "string" ? bytesOf(text) : text)
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  return parsed.value
}

function mustPut(text: string | Uint8Array, section: ConfSection): Uint8Array {
  const put = putSection(mustParse(text), section)
  if (!put.ok) throw new Error(JSON.stringify(put.error))
  return put.value
}

function read(text: string): Readonly<Record<string, Readonly<Record<string, string>>>> {
  const conf = mustParse(text)
  return Object.fromEntries(
    sectionNames(conf).map((name) => [name, Object.fromEntries(findSection(conf, name) ?? [])]),
  )
}

const OURS: ConfSection = {
  name: "ours",
  entries: [
    { key: "type", value: "s3" },
    { key: "secret", value: "a+/=" },
  ],
}
const OURS_TEXT = "[ours]\ntype = s3\nsecret = a+/=\n"

interface Reading {
  readonly rule: string
  readonly text: string
  readonly sections: Readonly<Record<string, Readonly<Record<string, string>>>>
}

const READINGS: readonly Reading[] = [
  { rule: "nothing", text: "", sections: {} },
  { rule: "a section without entries", text: "[a]", sections: { a: {} } },
  { rule: "entries", text: "[a]\ntype = s3\nb=c\nd :e\n", sections: { a: { type: "s3", b: "c", d: "e" } } },
  { rule: "no end of the last line", text: "[a]\ntype = s3", sections: { a: { type: "s3" } } },
  {
    rule: "the line ends of Windows",
    text: "[a]\r\ntype = s3\r\n\r\n[b]\r\n",
    sections: { a: { type: "s3" }, b: {} },
  },
  { rule: "a byte order mark", text: "\uFEFF[a]\ntype = s3\n", sections: { a: { type: "s3" } } },
  {
    rule: "comments, and what only looks like one",
    text: "# [x]\n; y = z\n[a]\n  # no\ntype = s3 # yes\nb = ;c\n",
    sections: { a: { type: "s3 # yes", b: ";c" } },
  },
  {
    rule: "white space around",
    text: "\t[ a b ] \n \u00a0type \t=  s3\u2003\n",
    sections: { "a b": { type: "s3" } },
  },
  { rule: "white space that is none", text: "[a]\ntype = \uFEFFs3\n", sections: { a: { type: "\uFEFFs3" } } },
  { rule: "an empty value", text: "[a]\ntype =\n", sections: { a: { type: "" } } },
  { rule: "more of what separates", text: "[a]\ntype = a=b:c\n", sections: { a: { type: "a=b:c" } } },
  {
    rule: "values that span no lines",
    text: "[a]\ntype = s3 \\\nb = c\n",
    sections: { a: { type: "s3 \\", b: "c" } },
  },
  {
    rule: "quoted values",
    text: '[a]\nb = ` c `\nd = """ e """\nf = "g"\nh = `i`j`\nk = `\n',
    sections: { a: { b: " c ", d: " e ", f: '"g"', h: "i`j", k: "`" } },
  },
  {
    rule: "quoted keys",
    text: '[a]\n`b=c` = d\n"e:f" = g\n"""h"i""" = j\n',
    sections: { a: { "b=c": "d", "e:f": "g", 'h"i': "j" } },
  },
  {
    rule: "a section that stands twice, as one",
    text: "[a]\nb = 1\nc = 2\n[d]\n[a]\nc = 3\n",
    sections: { a: { b: "1", c: "3" }, d: {} },
  },
  { rule: "a key that stands twice", text: "[a]\nb = 1\nb = 2\n", sections: { a: { b: "2" } } },
  { rule: "a name in brackets", text: "[[a]]\nb = c\n", sections: { "[a]": { b: "c" } } },
  { rule: "a carriage return alone", text: "[a]\nb = c\r[d]\r\n", sections: { a: { b: "c\r[d]" } } },
]

const MALFORMED: readonly { readonly rule: string; readonly text: string; readonly line: number }[] = [
  { rule: "a comment behind a name", text: "[a] # b\n", line: 1 },
  { rule: "a word alone", text: "# x\n\n[a]\ntype\n", line: 4 },
  { rule: "a value without a key", text: "[a]\n= b\n", line: 2 },
  { rule: "entries of no section", text: "[]\na = b\n", line: 2 },
  { rule: "a key whose quote does not end", text: "[a]\n`b = c\n", line: 2 },
  { rule: "a value whose quote does not end", text: "[a]\nb = `c\n", line: 2 },
]

describe("reading", () => {
  test.each(READINGS)("takes $rule", ({ text, sections }) => expect(read(text)).toEqual(sections))

  test.each(MALFORMED)("refuses $rule, as rclone does", ({ text, line }) => {
    expect(parseConf(bytesOf(text))).toEqual({ ok: false, error: { kind: "malformed", line } })
  })

  test.each([
    "RCLONE_ENCRYPT_V0:\nAAAA\n",
    "# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nAAAA\n",
    "\r\n; x\r\n RCLONE_ENCRYPT_V1:\r\nAAAA\r\n",
    "\uFEFFRCLONE_ENCRYPT_V0:\nAAAA\n",
  ])("recognises an encrypted file: %j", (text) => {
    expect(parseConf(bytesOf(text))).toEqual({ ok: false, error: { kind: "encrypted" } })
  })

  test("takes a later line that only looks encrypted as it is", () => {
    expect(read("[a]\nRCLONE_ENCRYPT_V0: x\n")).toEqual({ a: { RCLONE_ENCRYPT_V0: "x" } })
  })

  test("takes what comes before the first name for no section of a name", () => {
    expect(read("a = b\n[c]\n")).toEqual({ c: {} })
  })

  test("a section that is called like a member of every object is one like any other", () => {
    const conf = mustParse("[__proto__]\ntype = s3\n")
    expect(sectionNames(conf)).toEqual(["__proto__"])
    expect(findSection(conf, "__proto__")).toEqual(new Map([["type", "s3"]]))
    expect(findSection(conf, "constructor")).toBeUndefined()
  })

  describeEachRclone(({ run }) => {
    test("is what rclone reads", () => {
      const file = join(root, "rclone.conf")
      for (const { rule, text, sections } of READINGS) {
        writeFileSync(file, text)
        expect([rule, JSON.parse(run(["--config", file, "config", "dump"]))]).toEqual([rule, sections])
      }
    })

    test("refuses what rclone refuses", () => {
      const file = join(root, "rclone.conf")
      for (const { text } of MALFORMED) {
        writeFileSync(file, text)
        expect(() => run(["--config", file, "config", "dump"])).toThrow(/Failed to load config file/)
      }
    })
  })
})

interface Putting {
  readonly rule: string
  readonly before: string
  readonly after: string
}

describe("putting a section", () => {
  test.each<Putting>([
    { rule: "into an empty file", before: "", after: OURS_TEXT },
    {
      rule: "after others, with a line between",
      before: "[a]\nb = c\n",
      after: `[a]\nb = c\n\n${OURS_TEXT}`,
    },
    { rule: "after a blank line that is there", before: "[a]\n \n", after: `[a]\n \n${OURS_TEXT}` },
    { rule: "after a last line without an end", before: "[a]\nb = c", after: `[a]\nb = c\n\n${OURS_TEXT}` },
    {
      rule: "with the line ends of the file",
      before: "[a]\r\nb = c",
      after: `[a]\r\nb = c\r\n\r\n${OURS_TEXT.replaceAll("\n", "\r\n")}`,
    },
    {
      rule: "where it stands",
      before: "# x\n[a]\nb=c\n\n# y\n[ours]\ntype=old\n# z\nmore=1\n# b\n[b]",
      after: `# x\n[a]\nb=c\n\n# y\n${OURS_TEXT}# b\n[b]`,
    },
    {
      rule: "where it stands last, without an end",
      before: "[a]\n[ours]\ntype=x",
      after: `[a]\n${OURS_TEXT}`,
    },
    { rule: "behind a byte order mark", before: "\uFEFF[ours]\n", after: `\uFEFF${OURS_TEXT}` },
    {
      rule: "once where it stands twice",
      before: "[ours]\ntype = s3\n\n[a]\n[ours]\nsecret = a+/=\n# end\n",
      after: `${OURS_TEXT}\n[a]\n# end\n`,
    },
    {
      rule: "once where it stands twice, and first as wished",
      before: `${OURS_TEXT}[a]\n[ours]\nsecret = z\n`,
      after: `${OURS_TEXT}[a]\n`,
    },
    {
      rule: "without touching one that says the same in its own way",
      before: "[ ours ]\n# mine\ntype=s3\n  secret: `a+/=`",
      after: "[ ours ]\n# mine\ntype=s3\n  secret: `a+/=`",
    },
    {
      rule: "and not into one whose name only begins like it",
      before: "[ours2]\ntype = x\n",
      after: `[ours2]\ntype = x\n\n${OURS_TEXT}`,
    },
  ])("is done $rule", ({ before, after }) => {
    const put = mustPut(before, OURS)
    expect(textOf(put)).toBe(after)
    expect(mustPut(put, OURS)).toEqual(put)
  })

  test.each(["a\nb", "a\r[x]", "a\0", " a", "a\u00a0", "`a", '"""a"""', "%(type)s", "\ud800"])(
    "refuses a value that would not come back: %j",
    (value) => {
      const put = putSection(mustParse(""), { name: "ours", entries: [{ key: "secret", value }] })
      expect(put).toEqual({ ok: false, error: { kind: "unsayable", key: "secret" } })
    },
  )

  test.each(["", "a]\n[b", "-a", "a b", "[a"])("takes no name such as %j", (name) => {
    expect(() => putSection(mustParse(""), { name, entries: [] })).toThrow("assertion failed")
  })
})

describe("removing a section", () => {
  test.each([
    { rule: "its lines only", before: "# x\n[ours]\nb = c\n# y\n\n[a]\n", after: "# x\n# y\n\n[a]\n" },
    { rule: "each time it stands", before: "[ours]\nb=c\n[a]\n[ours]\nd=e", after: "[a]\n" },
    { rule: "nothing where it is not", before: "[a]\r\nb = c", after: "[a]\r\nb = c" },
  ])("takes $rule", ({ before, after }) => {
    expect(textOf(removeSection(mustParse(before), "ours"))).toBe(after)
  })
})

describe("every file", () => {
  const piece = fc.constantFrom(
    "[a]",
    "[ours]",
    "[ ours ]",
    "[ours2]",
    "# x",
    ";",
    "",
    " ",
    "k = v",
    "type=s3",
    "j: `q`",
    "\u00e9 = \u2028",
  )
  const end = fc.constantFrom("\n", "\r\n", "\n\n")
  const file = fc
    .tuple(fc.boolean(), fc.array(fc.tuple(piece, end), { maxLength: 12 }), fc.boolean())
    .map(([hasMark, lines, isEnded]) => {
      const text = lines.map((line) => line.join("")).join("")
      // Bytes that are no text are somebody's too.
      const junk =
        lines.length > 0 ? Buffer.concat([bytesOf("# "), Buffer.of(0xff, 0xfe), bytesOf("\n")]) : []
      const body = bytesOf(isEnded ? text : text.replace(/[\r\n]+$/, ""))
      return Buffer.concat([bytesOf(hasMark ? "\uFEFF" : ""), Buffer.from(junk), body])
    })

  test("keeps every byte that is not of the section", () => {
    fc.assert(
      fc.property(file, (before) => {
        const put = mustPut(before, OURS)
        expect(findSection(mustParse(put), "ours")).toEqual(
          new Map(OURS.entries.map(({ key, value }) => [key, value])),
        )
        // What is added beyond the section itself is at most the end of a last line and one that is blank.
        const [left, rest] = [before, put].map((bytes) => textOf(removeSection(mustParse(bytes), "ours")))
        expect(rest?.startsWith(left ?? "")).toBe(true)
        expect(rest?.slice(left?.length)).toMatch(/^(?:\r?\n){0,2}$/)
      }),
    )
  })

  test("says the same of all others before and after", () => {
    const others = (bytes: Uint8Array) => {
      const conf = mustParse(bytes)
      return sectionNames(conf)
        .filter((name) => name !== "ours")
        .map((name) => [name, findSection(conf, name)])
    }
    fc.assert(
      fc.property(file, (before) => {
        expect(others(mustPut(before, OURS))).toEqual(others(before))
        expect(others(removeSection(mustParse(before), "ours"))).toEqual(others(before))
      }),
    )
  })

  test("does not grow when the section is put and removed again and again", () => {
    fc.assert(
      fc.property(file, (before) => {
        const cycle = (bytes: Uint8Array) => removeSection(mustParse(mustPut(bytes, OURS)), "ours")
        const once = cycle(removeSection(mustParse(before), "ours"))
        const twice = cycle(once)
        expect(Buffer.compare(once, twice)).toBe(0)
      }),
    )
  })
})
