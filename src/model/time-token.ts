/**
 * The token of a version on a storage that knows neither checksums nor etags: its size and its time. PURE.
 *
 * Two versions of one size that were written within one tick of the storage's clock look the same, so whoever trusts
 * such a token asks how old its time was when it was last seen.
 */

const FORM = /^\d+:t:(-?\d+(?:\.\d+)?)(?::b:.+)?$/

/**
 * `atMs`: the time that the storage shows, Unix milliseconds; a fraction is kept. `born`: when the file itself was made,
 * as the storage writes it, where it knows; a version that replaced another then has its own, whatever time it carries.
 */
export function timeToken(sizeBytes: number, atMs: number, born?: string): string {
  return `${sizeBytes}:t:${atMs}${born === undefined ? "" : `:b:${born}`}`
}

/** Nothing where the token is made of more than that. */
export function timeInToken(token: string): number | undefined {
  const text = FORM.exec(token)?.[1]
  return text === undefined ? undefined : Number(text)
}
