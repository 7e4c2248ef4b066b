/**
 * Permalinks are those that the cloud itself makes of the same names.
 */

import fc from "fast-check"
import { expect, test } from "vitest"
import { parseProjectPermalink, permalinkOf, projectPermalinkOf } from "../../src/cloud/permalink.ts"

test.each([
  ["My Notes", "my-notes"],
  ["work_notes", "work-notes"],
  ["WorkNotes", "work-notes"],
  ["iOS18Notes", "i-os18-notes"],
  ["HTMLParser", "htmlparser"],
  ["Peter's Guide", "peters-guide"],
  ["Q&A", "q-a"],
  ["C++", "c"],
  ["__init__", "init"],
  ["v1.0", "v1"],
  ["résumé", "resume"],
  ["specs/API (v2).md", "specs/api-v2"],
  ["test/Über File.md", "test/uber-file"],
  ["ArticlesElNiño.md", "articles-el-nino"],
  ["中文项目", "中文项目"],
  ["东京Tokyo混合", "东京-tokyo-混合"],
  ["中文CamelCase测试", "中文-camel-case-测试"],
  ["!!!", ""],
])("%j becomes %j, as the contract says", (name, permalink) => {
  expect(permalinkOf(name)).toBe(permalink)
})

/** What the service's own client makes of them. */
test.each([
  ["a mark of its own is no letter", "re\u0301sume\u0301", "resume"],
  [
    "letters that no mark is taken from",
    "Øre Straße Łódź Þór Ðiện œuvre",
    "ore-strasse-lodz-thor-dien-oeuvre",
  ],
  ["a spelling of two letters keeps its case", "ÆON ßeta THÞ", "aeon-sseta-thth"],
  ["dotted and dotless i", "İstanbul Işık", "istanbul-isik"],
  ["Cyrillic", "Мои Заметки Ёж Щука объект", "moi-zametki-iozh-shchuka-obekt"],
  ["Ukrainian", "Їжак ґанок", "yizhak-ganok"],
  ["Greek", "Σημειώσεις Ψυχή ΘΕΟΣ Ξένος", "semeioseis-psukhe-th-eos-ksenos"],
  ["kana", "メモ ひらがな ノート", "memo-hiragana-no-to"],
  ["kana beside ideographs", "日本のNotes", "日本-no-notes"],
  ["Hangul", "한국어 노트", "hangugeo-noteu"],
  ["Hangul taken apart", "한국어".normalize("NFD"), "hangugeo"],
  ["curled apostrophes", "Peter’s Guide", "peters-guide"],
  ["dashes and quotes", "a–b—c “d”", "a-b-c-d"],
  ["pictures", "📝 Notes", "notes"],
  ["a picture within a word", "no📝tes", "notes"],
  ["signs that are words", "5€ ©2026 Foo™ №7", "5-eur-c-2026-foo-tm-no-7"],
  ["wide forms vanish", "ＡＢＣ，中文", "中文"],
  ["ideographic punctuation stays", "中文、项目", "中文、项目"],
  ["no extension begins at a leading dot", ".hidden", "hidden"],
  ["only the last extension goes", "a.b.c", "a-b"],
  ["an extension has spaces as well", "Mr. Smith", "mr"],
  ["a dot in a directory begins no extension", "v1.0/notes", "v1-0/notes"],
  ["each segment is trimmed", "-a-/_b_/ c ", "a/b/c"],
])("%s", (_, name, permalink) => {
  expect(permalinkOf(name)).toBe(permalink)
})

test("it has nothing but letters, digits, single dashes inside, and Chinese", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (name) => {
      for (const segment of permalinkOf(name).split("/"))
        expect(segment).toMatch(/^(?:[a-z0-9\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff]|(?<=[^-])-(?=[^-]))*$/u)
    }),
    { numRuns: 1000 },
  )
})

test("a permalink in ASCII is its own", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii" }), (name) => {
      expect(permalinkOf(permalinkOf(name))).toBe(permalinkOf(name))
    }),
    { numRuns: 1000 },
  )
})

test("a name taken apart into letters and marks has the same permalink", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (name) => {
      expect(permalinkOf(name.normalize("NFD"))).toBe(permalinkOf(name.normalize("NFC")))
    }),
    { numRuns: 1000 },
  )
})

test("the time it takes grows with the name's length and not with its square", () => {
  const name = `${".".repeat(300_000)}${"a".repeat(300_000)}${"-_".repeat(300_000)}`
  expect(permalinkOf(name)).toBe("a".repeat(300_000))
})

test("a project is asked for by one segment that is not empty", () => {
  expect(projectPermalinkOf("My Notes")).toBe("my-notes")
  expect(projectPermalinkOf("!!!")).toBeUndefined()
  expect(permalinkOf("½")).toBe("1/2")
  expect(projectPermalinkOf("½")).toBeUndefined()
})

test.each(["سلام", "Notes שלום", "ไทย"])(
  "%j has letters whose spelling is not known here, so no project is asked for",
  (name) => {
    expect(projectPermalinkOf(name)).toBeUndefined()
  },
)

test("what is read back is a permalink that could have been made", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (name) => {
      const permalink = projectPermalinkOf(name)
      fc.pre(permalink !== undefined)
      expect(parseProjectPermalink(permalink ?? "")).toBe(permalink)
    }),
    { numRuns: 1000 },
  )
  for (const text of ["", ".", "..", "a/b", "A", "a b", "-a", "a-", "a--b", "a?b", "a%2f", "é"])
    expect(parseProjectPermalink(text)).toBeUndefined()
})
