/** Tries every order in which the steps of a model can happen: breadth first, each state once. */

export interface Model<State> {
  readonly start: State
  /** Every state that one step of anybody leads to. */
  next(state: State): Iterable<State>
  /** What is wrong with this state, if anything is. */
  violation(state: State): string | undefined
}

export interface Explored {
  readonly states: number
  /** The first violation found, with the shortest way to it. */
  readonly violation?: string
}

const STATES_MAX = 3_000_000

/** States are plain values; two with the same JSON are one. */
export function explore<State>(model: Model<State>): Explored {
  const seen = new Set<string>([JSON.stringify(model.start)])
  let layer: State[] = [model.start]
  while (layer.length > 0) {
    const following: State[] = []
    for (const state of layer) {
      const violation = model.violation(state)
      if (violation !== undefined) return { states: seen.size, violation }
      for (const next of model.next(state)) {
        const name = JSON.stringify(next)
        if (seen.has(name)) continue
        if (seen.size >= STATES_MAX) throw new Error(`more than ${STATES_MAX} states`)
        seen.add(name)
        following.push(next)
      }
    }
    layer = following
  }
  return { states: seen.size }
}
