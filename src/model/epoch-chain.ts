/** Which pairs of an epoch's chain are kept, on every kind of remote. A restore inside one thinned gap is not seen. */

const THINNED = [
  { keepsLast: 1_000, every: 1 },
  { keepsLast: 17_000, every: 16 },
  { keepsLast: 273_000, every: 256 },
]

export function isKeptPair(counter: number, newest: number): boolean {
  const age = newest - counter
  return THINNED.some(({ keepsLast, every }) => age < keepsLast && counter % every === 0)
}
