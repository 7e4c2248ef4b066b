/**
 * Tries every order in which the steps of a protocol can happen: breadth first, each state once.
 *
 * A model says what its states are called; two with one name are one state. The way to the first violation is the
 * shortest there is. A search that grows past its limit is a bug of the test, and throws.
 */

export interface Protocol<State> {
  readonly start: State
  /** Every step that anybody could take now; the text says who does what. */
  steps(state: State): Iterable<readonly [step: string, next: State]>
  /** What is wrong with this state, if anything is. */
  violation(state: State): string | undefined
  /** The same state without what can make no difference any more. */
  simplest(state: State): State
  name(state: State): string
}

export interface Search {
  readonly states: number
  readonly violation?: string
  /** The steps that led to it. */
  readonly way: readonly string[]
  /** Every step that was taken somewhere: what a search never reached, it says nothing about. */
  readonly taken: ReadonlySet<string>
}

const STATES_MAX = 6_000_000

interface Found<State> {
  readonly state: State
  readonly step: string
  readonly before?: Found<State>
}

export function search<State>(protocol: Protocol<State>): Search {
  const names = new Set<string>([protocol.name(protocol.start)])
  const taken = new Set<string>()
  let layer: Found<State>[] = [{ state: protocol.start, step: "start" }]
  while (layer.length > 0) {
    const following: Found<State>[] = []
    for (const before of layer) {
      for (const [step, after] of protocol.steps(before.state)) {
        taken.add(step)
        const state = protocol.simplest(after)
        const name = protocol.name(state)
        if (names.has(name)) continue
        names.add(name)
        const found = { state, step, before }
        const violation = protocol.violation(state)
        if (violation !== undefined) return { states: names.size, violation, way: wayTo(found), taken }
        following.push(found)
      }
    }
    if (names.size > STATES_MAX) throw new Error(`more than ${STATES_MAX} states`)
    layer = following
  }
  return { states: names.size, way: [], taken }
}

function wayTo(found: Found<unknown>): readonly string[] {
  const way: string[] = []
  for (let at: Found<unknown> | undefined = found; at !== undefined; at = at.before) way.unshift(at.step)
  return way
}
