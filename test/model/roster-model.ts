type At = number

/** What one user holds of another. */
export type Edge = 'none' | 'friend' | 'blocked'
export type RosterChange = 'add' | 'remove' | 'block'

/** What became of it: carried out, or refused because the other one blocks. Who was told neither does not know. */
export type RosterOutcome = 'done' | 'refused'

interface Change {
  readonly what: RosterChange
  readonly by: string
  readonly to: string
  readonly asked: At
  answered: At
  outcome: RosterOutcome | 'unknown'
  /** What the answer to `add` says. */
  isFriend?: boolean
}

/** What each of two holds of the other; the first is the one whose name comes first. */
type Pair = readonly [Edge, Edge]

/** From then on until the next one: what the two may hold of each other. */
interface Span {
  readonly from: At
  readonly pairs: readonly Pair[]
}

interface History {
  readonly spans: readonly Span[]
  readonly unexplained: readonly Change[]
}

/** Something between two users that cannot have been so. */
export interface Contradiction {
  readonly one: string
  readonly other: string
  readonly what: string
}

/**
 * Who may have whom as a friend, or has blocked whom, and when: what follows from the requests alone, each of which is carried out at some moment
 * between its being asked for and its answer (and perhaps again, for it is sent again when a connection is lost). A request whose answer nobody
 * has may be carried out at any time from then on, or never.
 */
export class RosterModel {
  readonly #changes = new Map<string, { readonly at: At; readonly change: Change; readonly isAnswer: boolean }[]>()
  /** What was found out last, and of how many requests and answers. */
  readonly #known = new Map<string, History & { readonly of: number }>()

  /** Asks for a change; the function that is returned says what came of it. */
  asking(what: RosterChange, by: string, to: string, at: At): (outcome: RosterOutcome, at: At, isFriend?: boolean) => void {
    const change: Change = { what, by, to, asked: at, answered: Infinity, outcome: 'unknown' }
    const key = keyOf(by, to)
    const changes = this.#changes.get(key) ?? []
    this.#changes.set(key, changes)
    changes.push({ at, change, isAnswer: false })
    return (outcome, answered, isFriend) => {
      Object.assign(change, { outcome, answered }, isFriend !== undefined && { isFriend })
      changes.push({ at: answered, change, isAnswer: true })
    }
  }

  /** Whether at some moment within these two, both included, what one holds of the other, and the other way round, may have been so. */
  may(one: string, other: string, isSo: (mine: Edge, theirs: Edge) => boolean, from: At, until: At): boolean {
    const { spans } = this.#historyOf(one, other)
    const isFirst = one < other
    return spans.some(({ from: begins, pairs }, index) => {
      if (begins > until || (spans[index + 1]?.from ?? Infinity) < from) return false
      return pairs.some(([first, second]) => (isFirst ? isSo(first, second) : isSo(second, first)))
    })
  }

  mayBeFriends(one: string, other: string, from: At, until: At): boolean {
    return this.may(one, other, areFriends, from, until)
  }

  /** Without doubt, and all the time. */
  areFriends(one: string, other: string, from: At, until: At): boolean {
    return !this.may(one, other, (mine, theirs) => !areFriends(mine, theirs), from, until)
  }

  /** Whether one of the two may have blocked the other at some moment. */
  mayBeApart(one: string, other: string, from: At, until: At): boolean {
    return this.may(one, other, (mine, theirs) => mine === 'blocked' || theirs === 'blocked', from, until)
  }

  /** Whether one of the two has blocked the other, without doubt and all the time. */
  areApart(one: string, other: string, from: At, until: At): boolean {
    return [one, other].some((owner) => !this.may(owner, owner === one ? other : one, (mine) => mine !== 'blocked', from, until))
  }

  /** Answers that no order of the requests explains. */
  contradictions(): readonly Contradiction[] {
    return [...this.#changes].flatMap(([key, changes]) => {
      const [one = '', other = ''] = key.split('\0')
      const wrong = changes.flatMap(({ change, isAnswer }): readonly string[] => {
        const { by, to, isFriend, asked, answered } = change
        if (!isAnswer || isFriend === undefined || this.may(by, to, (mine, theirs) => areFriends(mine, theirs) === isFriend, asked, answered)) return []
        return [`${print(change)} is answered that they are ${isFriend ? '' : 'no '}friends`]
      })
      return [...this.#historyOf(one, other).unexplained.map(print), ...wrong].map((what) => ({ one, other, what }))
    })
  }

  /** What was asked for between two, for whoever looks into it. */
  print(one: string, other: string): string {
    const rows = (this.#changes.get(keyOf(one, other)) ?? []).filter(({ isAnswer }) => !isAnswer)
    return [`between ${one} and ${other}:`, ...rows.map(({ change }) => `  ${print(change)}`)].join('\n')
  }

  #historyOf(one: string, other: string): History {
    const key = keyOf(one, other)
    const changes = this.#changes.get(key) ?? []
    const known = this.#known.get(key)
    if (known?.of === changes.length) return known
    let possible: readonly Possible[] = [{ pair: ['none', 'none'], done: new Set() }]
    const underWay = new Set<Change>()
    const spans: Span[] = [{ from: -Infinity, pairs: [['none', 'none']] }]
    const unexplained: Change[] = []
    for (const { at, change, isAnswer } of changes) {
      if (isAnswer) {
        underWay.delete(change)
        const explained = possible.filter(({ done }) => done.has(change))
        if (explained.length === 0) unexplained.push(change)
        possible = (explained.length > 0 ? explained : possible).map(({ pair, done }) => ({ pair, done: new Set([...done].filter((each) => each !== change)) }))
      } else underWay.add(change)
      possible = following(possible, underWay)
      spans.push({ from: at, pairs: possible.map(({ pair }) => pair) })
    }
    const found = { spans, unexplained, of: changes.length }
    this.#known.set(key, found)
    return found
  }
}

/** How it may stand between two, and which of the requests that are under way have been carried out then. */
interface Possible {
  readonly pair: Pair
  readonly done: ReadonlySet<Change>
}

/** All that may come of these, in whatever order. */
function following(possible: readonly Possible[], underWay: ReadonlySet<Change>): readonly Possible[] {
  const all = [...underWay]
  const nameOf = ({ pair, done }: Possible): string => `${pair.join(' ')} ${all.map((change) => (done.has(change) ? '1' : '0')).join('')}`
  const found = new Map(possible.map((each) => [nameOf(each), each]))
  // What is added while this goes on comes up as well.
  for (const { pair, done } of found.values()) {
    for (const change of all) {
      const next = carriedOut(pair, change)
      for (const one of [
        ...(next === null ? [] : [{ pair: next, done: change.outcome === 'done' ? new Set([...done, change]) : done }]),
        ...(change.outcome === 'refused' && next === null ? [{ pair, done: new Set([...done, change]) }] : []),
      ]) {
        const name = nameOf(one)
        if (!found.has(name)) found.set(name, one)
      }
    }
  }
  return [...found.values()]
}

/** `null`: it is refused. */
function carriedOut(pair: Pair, { what, by, to }: Change): Pair | null {
  const isFirst = by < to
  const theirs = pair[isFirst ? 1 : 0]
  const held = (mine: Edge, back: Edge): Pair => (isFirst ? [mine, back] : [back, mine])
  if (what === 'block') return held('blocked', theirs)
  if (what === 'remove') return held('none', theirs === 'friend' ? 'none' : theirs)
  return theirs === 'blocked' ? null : held('friend', theirs)
}

function areFriends(mine: Edge, theirs: Edge): boolean {
  return mine === 'friend' && theirs === 'friend'
}

function keyOf(one: string, other: string): string {
  return [one, other].sort().join('\0')
}

function print({ what, by, to, asked, answered, outcome }: Change): string {
  return `${by} asks at ${asked} to ${what} ${to}: ${outcome}${answered < Infinity ? ` at ${answered}` : ''}`
}
