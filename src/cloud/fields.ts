/**
 * Fields of JSON that somebody else wrote: each is read as what it must be, or is absent.
 */

export function fieldOf(value: unknown, name: string): unknown {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value)
  return isObject && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined
}

/** A text of this form. */
export function wordOf(value: unknown, form: RegExp): string | undefined {
  return typeof value === "string" && form.test(value) ? value : undefined
}

/** A number from `min` to `max`. */
export function numberOf(
  value: unknown,
  { min, max }: { readonly min: number; readonly max: number },
): number | undefined {
  return typeof value === "number" && value >= min && value <= max ? value : undefined
}

/** Seconds from 1 on; the usual number where there is none, and no more than the most. */
export function secondsOf(
  value: unknown,
  { usual, max }: { readonly usual: number; readonly max: number },
): number {
  return Math.min(numberOf(value, { min: 1, max: Number.MAX_VALUE }) ?? usual, max)
}

export function listOf(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined
}

export function pairsOf(value: unknown): readonly (readonly [string, unknown])[] | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value)
  return isObject ? Object.entries(value) : undefined
}

/** All of them, or `undefined` if any is not what it must be. */
export function everyOf<T>(
  values: readonly unknown[] | undefined,
  parse: (value: unknown) => T | undefined,
): readonly T[] | undefined {
  const parsed = (values ?? []).map(parse).filter((each) => each !== undefined)
  return values === undefined || parsed.length < values.length ? undefined : parsed
}
