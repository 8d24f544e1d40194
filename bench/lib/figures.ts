import type { PeerName } from '../peers/types.js'

/** Over the rounds. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** A bound that a median is held against. */
export interface Bound {
  readonly kind: 'at least' | 'at most'
  readonly value: number
}

/** One line of the table of targets. */
export interface Row {
  /** Its number there. */
  readonly target: string
  readonly what: string
  /** `×` for a ratio; else a unit. */
  readonly unit: string
  /** Null when a peer that it takes was not run. */
  readonly spread: Spread | null
  readonly must: Bound | null
  readonly aim: Bound | null
}

export function atLeast(value: number): Bound {
  return { kind: 'at least', value }
}

export function atMost(value: number): Bound {
  return { kind: 'at most', value }
}

export function isMet(bound: Bound, value: number): boolean {
  return bound.kind === 'at least' ? value >= bound.value : value <= bound.value
}

export function spreadOf(values: readonly number[]): Spread | null {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  const [min] = sorted
  const max = sorted.at(-1)
  if (min === undefined || max === undefined) return null
  return { median: quantile(sorted, 0.5), min, max }
}

/** Of values in ascending order; between two, it lies in proportion. */
export function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q
  const low = sorted[Math.floor(at)] ?? NaN
  const high = sorted[Math.ceil(at)] ?? NaN
  return low + (high - low) * (at - Math.floor(at))
}

type FiguresByName = Readonly<Record<string, number>>

/** All that the runs of a scenario found out. */
export class Results {
  readonly #rounds = new Map<PeerName, FiguresByName[]>()
  readonly #counted = new Map<PeerName, FiguresByName>()

  add(peer: PeerName, round: number, figures: FiguresByName): void {
    const rounds = this.#rounds.get(peer) ?? []
    rounds[round] = figures
    this.#rounds.set(peer, rounds)
  }

  /** Of the run with every call to Redis counted. */
  addCounted(peer: PeerName, figures: FiguresByName): void {
    this.#counted.set(peer, figures)
  }

  get peers(): readonly PeerName[] {
    return [...new Set([...this.#rounds.keys(), ...this.#counted.keys()])]
  }

  figuresOf(peer: PeerName): readonly string[] {
    return [...new Set([...(this.#rounds.get(peer) ?? []), this.#counted.get(peer) ?? {}].flatMap((figures) => Object.keys(figures ?? {})))]
  }

  /** A figure of a peer over the rounds; of the counted run, where only that has it. */
  of(peer: PeerName, figure: string): Spread | null {
    return spreadOf(this.#valuesOf(peer, figure)) ?? spreadOf([this.#counted.get(peer)?.[figure] ?? NaN])
  }

  /** One peer's figure by another's, round by round. */
  ratio(figure: string, above: PeerName, below: PeerName): Spread | null {
    const belows = this.#valuesOf(below, figure)
    return spreadOf(this.#valuesOf(above, figure).map((value, round) => value / (belows[round] ?? NaN)))
  }

  #valuesOf(peer: PeerName, figure: string): readonly number[] {
    return Array.from(this.#rounds.get(peer) ?? [], (figures) => figures?.[figure] ?? NaN)
  }
}
