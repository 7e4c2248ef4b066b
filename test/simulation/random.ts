/** Random numbers that are the same for the same seed. Source: mulberry32 by Tommy Ettinger, public domain. */

export interface Prng {
  /** In [0, 1). */
  next(): number
  /** In [0, below). */
  below(limit: number): number
  chance(probability: number): boolean
  pick<T>(items: readonly T[]): T
  hex(digits: number): string
  /** Another that goes on from here in the same way. */
  fork(): Prng
}

export function prngOf(seed: number): Prng {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick(items) {
      const item = items[below(items.length)]
      if (item === undefined) throw new Error("nothing to pick from")
      return item
    },
    hex(digits) {
      let text = ""
      while (text.length < digits)
        text += Math.floor(next() * 0x1_0000_0000)
          .toString(16)
          .padStart(8, "0")
      return text.slice(0, digits)
    },
    fork: () => prngOf(state),
  }
}
