/**
 * How Greek, Cyrillic, kana and Hangul are spelt in ASCII. Pure.
 *
 * The first two are letters with their spelling in lower case; kana is a row of syllables in the order of Unicode,
 * and a Hangul syllable is put together from its parts, as its number is.
 */

const LETTERS = `
α a β b γ g δ d ε e ζ z η e θ th ι i κ k λ l μ m ν n ξ x Ξ Ks ο o π p ρ r ς s σ s τ t υ u φ ph χ kh ψ ps ω o
ϐ b ϑ th ϒ U ϕ ph ϖ p ϗ & ϛ st ϝ w ϟ q ϡ sp ϣ sh ϥ f ϧ kh ϩ h ϫ g ϭ ch Ϭ CH ϯ ti ϰ k ϱ r ϲ c ϳ j ῥ R ῤ R
а a б b в v г g д d е e ж zh з z и i й i к k л l м m н n о o п p р r с s т t у u ф f х kh ц ts ч ch ш sh щ shch
ъ ' ы y ь ' э e ю iu я ia ѐ ie ё io ђ dj ѓ gj є ie ѕ dz і i ї yi ј j љ lj њ nj ћ tsh ќ kj ѝ i ў u џ dzh
ѡ o ѣ e ѥ ie ѧ e ѩ ie ѫ o ѭ io ѯ ks ѱ ps ѳ f ѵ y ѷ y ѹ u ѻ o ѽ o ѿ ot ҁ q ҏ r' ґ g' ғ g' ҕ g' җ zh' ҙ z' қ k'
ҝ k' ҟ k' ҡ k' ң n' ҥ ng ҧ p' ҩ kh ҫ s' ҭ t' ү u ұ u' ҳ kh' ҵ tts ҷ ch' ҹ ch' һ h ҽ ch ҿ ch' ӂ zh ӄ k' ӈ n' ӌ ch
Ӑ a ӕ ae ӗ ie ә @ ӛ @ ӡ dz ө o ӫ o ӭ e`

export const GREEK_AND_CYRILLIC: ReadonlyMap<string, string> = new Map(
  LETTERS.trim()
    .split(/\s+/)
    .flatMap((word, index, words) => (index % 2 === 0 ? [[word, words[index + 1] ?? ""] as const] : [])),
)

/** From U+3041 on; the small ones stand before the large. */
const KANA = `
a a i i u u e e o o ka ga ki gi ku gu ke ge ko go sa za shi zi su zu se ze so zo ta da chi di tsu tsu du te de to do
na ni nu ne no ha ba pa hi bi pi hu bu pu he be pe ho bo po ma mi mu me mo ya ya yu yu yo yo ra ri ru re ro
wa wa wi we wo n vu ka ke va vi ve vo`
  .trim()
  .split(/\s+/)
const HIRAGANA_FIRST = 0x3041
const KATAKANA_FIRST = 0x30a1
/** Hiragana ends at `ゖ`: what follows in the row is katakana's own. */
const HIRAGANA_LENGTH = 86

export function kanaOf(character: string): string | undefined {
  const code = character.codePointAt(0) ?? 0
  if (code >= KATAKANA_FIRST) return KANA[code - KATAKANA_FIRST]
  return code < HIRAGANA_FIRST + HIRAGANA_LENGTH ? KANA[code - HIRAGANA_FIRST] : undefined
}

const INITIALS = "g gg n d dd r m b bb s ss - j jj c k t p h".split(" ")
const VOWELS = "a ae ya yae eo e yeo ye o wa wae oe yo u weo we wi yu eu yi i".split(" ")
const FINALS = "- g gg gs n nj nh d l lg lm lb ls lt lp lh m b bs s ss ng j c k t p h".split(" ")
const HANGUL_FIRST = 0xac00
const HANGUL_LAST = 0xd7a3

export function hangulOf(character: string): string | undefined {
  const code = character.codePointAt(0) ?? 0
  if (code < HANGUL_FIRST || code > HANGUL_LAST) return undefined
  const number = code - HANGUL_FIRST
  const final = number % FINALS.length
  const vowel = Math.floor(number / FINALS.length) % VOWELS.length
  const initial = Math.floor(number / (FINALS.length * VOWELS.length))
  return [INITIALS[initial], VOWELS[vowel], FINALS[final]].filter((part) => part !== "-").join("")
}
