/**
 * Pages of listings are read whole and to the letter, or not at all.
 */

import { describe, expect, test } from "vitest"
import { failureOf, Nonsense, Unready } from "../../src/s3/failure.ts"
import { parsePage } from "../../src/s3/sdk-list.ts"

const at = { asked: "", ours: "" }
const TIME = "2026-11-25T10:00:00.000Z"
const rest = `<LastModified>${TIME}</LastModified><ETag>"e1"</ETag><Size>5</Size>`
const entry = (key: string) => `<Contents><Key>${key}</Key>${rest}</Contents>`
const encoded = "<EncodingType>url</EncodingType>"
const page = (inner: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner}</ListBucketResult>\n`
const keysOf = (inner: string, asked = at) => parsePage(page(inner), asked).objects.map(({ key }) => key)

describe("a key is read to the letter", () => {
  test.each<{ readonly rule: string; readonly xml: string; readonly key: string }>([
    { rule: "plain", xml: entry("a/b.md"), key: "a/b.md" },
    { rule: "entities", xml: entry("a&amp;b&lt;c&gt;d&quot;e&apos;f.md"), key: `a&b<c>d"e'f.md` },
    { rule: "an entity is decoded once", xml: entry("a&amp;amp;b"), key: "a&amp;b" },
    { rule: "numbered characters", xml: entry("&#233;&#x1F600;&#38;"), key: "é😀&" },
    { rule: "characters as they are", xml: entry("é😀 日本"), key: "é😀 日本" },
    { rule: "spaces at its ends", xml: entry(" a "), key: " a " },
    { rule: "a plus where nothing is encoded", xml: entry("plus+.md"), key: "plus+.md" },
    { rule: "a percent sign where nothing is encoded", xml: entry("50%25.md"), key: "50%25.md" },
    { rule: "encoded", xml: encoded + entry("plus%2B+%25%C3%A9%2Fx"), key: "plus+ %é/x" },
    { rule: "encoded, said after it", xml: entry("a%20b") + encoded, key: "a b" },
    { rule: "encoded control characters", xml: encoded + entry("a%0Ab%7F"), key: "a\nb\u007f" },
    {
      rule: "encoded by no name we know",
      xml: `<EncodingType>x</EncodingType>${entry("a%20b")}`,
      key: "a%20b",
    },
    { rule: "with attributes", xml: `<Contents a="1"><Key b='2>' c="/">a</Key>${rest}</Contents>`, key: "a" },
    { rule: "in another order", xml: `<Contents>${rest}<Key>a</Key></Contents>`, key: "a" },
    { rule: "beside white space", xml: `\n <Contents>\n  <Key>a</Key >\n ${rest}\n</Contents >`, key: "a" },
    {
      rule: "beside what is not known, and below it",
      xml: `<Contents><New><Key>no</Key><Size>7</Size></New><Empty/><Key>a</Key>${rest}<Owner><ID>i</ID></Owner></Contents>`,
      key: "a",
    },
    {
      rule: "beside prefixes and parts that have keys of their own",
      xml: `<CommonPrefixes><Prefix>p/</Prefix><Key>no</Key></CommonPrefixes>${entry("a")}<Other><Contents><Key>no</Key></Contents></Other>`,
      key: "a",
    },
  ])("$rule", ({ xml, key }) => {
    expect(parsePage(page(xml), at)).toEqual({
      objects: [{ key, etag: "e1", sizeBytes: 5, lastModifiedMs: Date.parse(TIME) }],
      broken: [],
    })
  })
})

test("an etag is handed out without its quotes, however they are written", () => {
  const etags = ['"e-1"', "&quot;e-1&quot;", "&#34;e-1&#34;", "e-1"].map((etag) =>
    entry("k").replace('"e1"', etag),
  )
  expect(parsePage(page(etags.join("")), at).objects.map(({ etag }) => etag)).toEqual(Array(4).fill("e-1"))
})

test("an empty listing is one", () => {
  expect(parsePage(page("<KeyCount>0</KeyCount><IsTruncated>false</IsTruncated>"), at)).toEqual({
    objects: [],
    broken: [],
  })
  expect(parsePage("<ListBucketResult/>", at)).toEqual({ objects: [], broken: [] })
})

describe("a key that cannot have arrived whole is reported and is no file", () => {
  test.each([
    ["a replacement character", entry("n/a\uFFFD.md"), "n/a\uFFFD.md"],
    ["an encoded one", encoded + entry("n/a%EF%BF%BD"), "n/a\uFFFD"],
    ["a control character that nobody encoded", entry("n/a\u0001b"), "n/a\u0001b"],
    ["one that an entity spells", entry("n/a&#xD;b"), "n/a\rb"],
    ["a line feed in an encoded answer", encoded + entry("n/a\nb"), "n/a\nb"],
    ["bytes that are not UTF-8", encoded + entry("n/%FF.md"), "n/%FF.md"],
    ["an entity that nobody knows", entry("n/a&foo;b"), "n/a\uFFFDb"],
    ["an ampersand by itself", entry("n/a & b"), "n/a \uFFFD b"],
    ["half a character", entry("n/a&#xD800;"), "n/a\uFFFD"],
  ])("%s", (_, xml, shown) => {
    expect(parsePage(page(xml + entry("n/whole")), at)).toMatchObject({
      objects: [{ key: "n/whole" }],
      broken: [shown],
    })
  })

  test("without the prefix of the remote", () => {
    expect(parsePage(page(entry("n/a\uFFFD")), { asked: "n/", ours: "n/" }).broken).toEqual(["a\uFFFD"])
  })
})

test("the prefix of the remote is taken off, what was asked for below it is not", () => {
  expect(keysOf(entry("n/sub/a"), { asked: "n/sub/", ours: "n/" })).toEqual(["sub/a"])
})

test("the way to the next page is kept as it is", () => {
  const truncated =
    "<IsTruncated>true</IsTruncated><NextContinuationToken>a+b%20&amp;=</NextContinuationToken>"
  expect(parsePage(page(truncated + encoded), at).next).toBe("a+b%20&=")
})

describe("is no listing", () => {
  const whole = page(entry("a"))
  test.each([
    ["nothing", ""],
    ["text", "OK"],
    ["a page", "<html><body>Log in</body></html>"],
    ["another result", "<ListAllMyBucketsResult></ListAllMyBucketsResult>"],
    ["a listing inside of something else", `<x>${whole.replace(/^<\?.*\n/, "")}</x>`],
    ["a document type", `<!DOCTYPE x>${whole}`],
    ["a document type with entities", whole.replace("?>", '?><!DOCTYPE l [<!ENTITY e "x">]>')],
    ["CDATA", page(entry("<![CDATA[a]]>"))],
    ["a comment", page(`<!-- -->${entry("a")}`)],
    ["its first half", whole.slice(0, whole.length / 2)],
    ["one whose last tag is cut", whole.trimEnd().slice(0, -1)],
    ["one without its end", whole.replace("</ListBucketResult>", "")],
    ["one whose tags do not fit", page(entry("a").replace("</Key>", "</Kee>"))],
    ["two", `${whole}<ListBucketResult/>`],
    ["one that is deep", page("<x>".repeat(100_000))],
    ["an object without a key", page(`<Contents>${rest}</Contents>`)],
    ["an object with two keys", page(entry("a</Key><Key>b"))],
    ["an object with an empty size", page(entry("a").replace(">5<", "><"))],
    ["an object of negative size", page(entry("a").replace(">5<", ">-5<"))],
    ["an object larger than any", page(entry("a").replace(">5<", ">99999999999999999<"))],
    ["an object without a time", page(entry("a").replace(TIME, "soon"))],
    ["one that goes on nowhere", page("<IsTruncated>true</IsTruncated>")],
  ])("%s", (_, xml) => {
    expect(() => parsePage(xml, at)).toThrow(Nonsense)
  })

  test("one with an object that has no etag yet, and the server is asked again", () => {
    const half = page(entry("a").replace('"e1"', ""))
    expect(() => parsePage(half, at)).toThrow(Unready)
    expect(failureOf(new Unready("half"))).toMatchObject({ kind: "busy" })
  })

  test("one with a key that was not asked for", () => {
    expect(() => keysOf(entry("other/a"), { asked: "n/", ours: "n/" })).toThrow(Nonsense)
    expect(() => keysOf(entry("n/a"), { asked: "n/sub/", ours: "n/" })).toThrow(Nonsense)
  })
})
