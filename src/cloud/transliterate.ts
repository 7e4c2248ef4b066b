/**
 * One character to ASCII: a letter to the letters that spell it, a sign to a sign, a picture to nothing. Pure.
 *
 * It agrees with what the cloud does (a transliteration table of the whole of Unicode) on Latin, Greek, Cyrillic,
 * kana, Hangul and on punctuation, as far as a permalink can tell. Letters of other scripts become nothing, and say so.
 */

import { GREEK_AND_CYRILLIC, hangulOf, kanaOf } from "./transliterate-letters.ts"

/** Letters that no mark is taken from by decomposing them. Upper case is made from these where it is no entry itself. */
const LATIN = `
æ ae ǣ ae ǽ ae Æ AE Ǣ AE Ǽ AE ð d đ d ø o ǿ o þ th Þ Th ß ss ẞ SS ħ h ı i ĸ k ł l ŀ l ŋ ng Ŋ NG œ oe Œ OE ŧ t ŉ 'n
ƀ b ɓ b ƃ b ƅ 6 ɔ o ƈ c ɖ d ɗ d ƌ d ƍ d ǝ @ Ǝ 3 ə @ ɛ e ƒ f ɠ g ɣ g ƕ hv Ƕ HV ɩ i ɨ i ƙ k ƚ l ƛ l ɯ W ɲ n ƞ n ɵ o
ƣ oi Ƣ OI ƥ p Ʀ YR ƨ 2 ʃ S Ʃ SH ƪ sh ƫ t ƭ t ʈ t ʊ U Ʊ Y ʋ v ƴ y ƶ z ʒ Z Ʒ ZH ƹ zh Ƹ ZH ƺ zh ƻ 2 ƽ 5 ƾ ts ƿ w
ǥ g ǯ zh Ǯ ZH ȝ y Ƞ N ȡ d ȣ ou Ȣ OU ȥ z ȴ l ȵ n ȶ t ȷ j ȸ db ȹ qp Ⱥ A ȼ c Ƚ L Ⱦ T ȿ s ɀ z Ƀ B Ʉ U ɇ e ɉ j Ɋ q ɋ q
ɍ r ɏ y ɐ a ɑ a ɒ a ɕ c ɘ e ɜ e ɞ e ɟ j ɡ g ɢ g ɦ h ɪ I ɫ l ɬ l ɭ l ɱ m ɳ n ɴ n ɸ F ɹ r ɾ r ʀ R ʁ R ʂ s ʉ u ʌ ^
ʍ w ʎ y ʏ Y ʐ z ʑ z ʔ ? ʙ B ʜ H ʝ j ʟ L ʣ dz ʦ ts`

/** What is read as a word or a letter, or as an apostrophe, which a permalink leaves out. */
const SIGNS = `
‘ ' ’ ' ‛ ' ′ ' ″ '' ‴ ''' ⁗ '''' ʹ ' ʼ ' ʿ ' ˈ ' ´ ' ❜ ' ᾽ ' ᾿ '
¢ C/ £ PS ¤ $? ¥ Y= § SS © (c) ® (r) ° deg µ u ¶ P × x ÷ / ™ (tm) ℠ (sm) ℗ (p) ℃ degC ℉ degF № No. ℮ e ⁄ / ∕ / ╳ X
€ EUR ₠ ECU ₡ CL ₢ Cr ₣ FF ₤ L ₥ mil ₦ N ₧ Pts ₩ W ₪ NS ₫ D ₭ K ₮ T ₯ Dr ₰ Pf ₱ P ₲ G ₳ A ₴ UAH ₵ C| ₶ L ₷ Sm ₸ T
₹ Rs ₺ L ₻ M ₼ m ₽ R ₾ l ₿ BTC ⁋ PP ‰ %0`

const TABLE: ReadonlyMap<string, string> = new Map([
  ...pairsOf(LATIN),
  ...pairsOf(SIGNS),
  ...GREEK_AND_CYRILLIC,
])

/** Dashes, brackets, spaces, arrows, boxes, signs for a syllable said again or longer: they part what is around them. */
const SEPARATES = /[\p{P}\p{Z}¦¬±−∗∣∼≤≥\u200b\u2190-\u21f3\u2500-\u25f7\u309d\u309e\u30fc-\u30fe]/u
const IS_MARK = /\p{M}/u
const FRACTION_SLASH = "\u2044"

export function asciiOf(character: string): string {
  if (isAscii(character)) return character
  const known = knownOf(character)
  if (known !== undefined) return known
  const parts = [...character.normalize("NFKD")]
  if (parts.length === 1 && parts[0] === character) return SEPARATES.test(character) ? "-" : ""
  const spelt = parts.map((part) => (isAscii(part) ? part : IS_MARK.test(part) ? "" : asciiOf(part))).join("")
  return parts.includes(FRACTION_SLASH) ? ` ${spelt}` : spelt
}

/** False for a letter or a digit that the cloud spells and we do not. */
export function hasSpelling(character: string): boolean {
  return asciiOf(character) !== "" || !/[\p{L}\p{N}]/u.test(character)
}

function knownOf(character: string): string | undefined {
  const found = TABLE.get(character) ?? kanaOf(character) ?? hangulOf(character)
  if (found !== undefined) return found
  const lower = character.toLowerCase()
  const spelt = lower === character ? undefined : TABLE.get(lower)
  return spelt === undefined ? undefined : spelt.charAt(0).toUpperCase() + spelt.slice(1)
}

function isAscii(character: string): boolean {
  return character <= "\x7f"
}

function pairsOf(text: string): readonly (readonly [string, string])[] {
  const words = text.trim().split(/\s+/)
  return words.flatMap((word, index) => (index % 2 === 0 ? [[word, words[index + 1] ?? ""] as const] : []))
}
