import fc from "fast-check"
import { expect, test } from "vitest"
import { csvLine } from "../../src/cli/csv.ts"

/** What a reader of CSV gets from one cell, without its guard. */
const read = (line: string): string => {
  const cell = line.startsWith('"') ? line.slice(1, -1).replaceAll('""', '"') : line
  return /^'+[=+\-@\t\r]/.test(cell) ? cell.slice(1) : cell
}

test.each([
  { rule: "joins plain cells", cells: ["a", "b c", ""], line: "a,b c," },
  {
    rule: "quotes commas, quotes and line breaks",
    cells: ["a,b", 'say "x"', "a\nb", "a\rb"],
    line: '"a,b","say ""x""","a\nb","a\rb"',
  },
  {
    rule: "guards what a spreadsheet would run",
    cells: ["=1+1", "+1", "-rf", "@x", "\tx"],
    line: "'=1+1,'+1,'-rf,'@x,'\tx",
  },
  { rule: "guards and quotes", cells: ["\rx", "=a,b"], line: '"\'\rx","\'=a,b"' },
  { rule: "guards what already looks guarded", cells: ["'=1", "'tis"], line: "''=1,'tis" },
  { rule: "writes numbers as they are", cells: [5517, -40, 0], line: "5517,-40,0" },
  { rule: "leaves a cell empty where there is no value", cells: [undefined, "a", undefined], line: ",a," },
  { rule: "keeps names of properties", cells: ["__proto__", "日本"], line: "__proto__,日本" },
])("$rule", ({ cells, line }) => expect(csvLine(cells)).toBe(line))

test("gives every text back to a reader who removes one guard", () => {
  const text = fc
    .array(fc.constantFrom("'", '"', "=", "-", ",", "\n", "\r", "\t", "a", "é"))
    .map((all) => all.join(""))
  fc.assert(fc.property(text, (one) => read(csvLine([one])) === one))
})
