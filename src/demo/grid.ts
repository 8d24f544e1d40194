import { Card } from './card.js'
import { setText } from './dom.js'
import { glide } from './glide.js'
import type { NodeShare } from './nodes.js'
import type { Member } from '../client/index.js'

/** Cards that are shown at once; of a larger room the rest is a number. */
const MOST_CARDS = 200
/** Above this many newcomers at once nobody is welcomed one by one. */
const MOST_WELCOMES = 24
/** How long a card of somebody who has gone stays, stamped. */
const FAREWELL_MS = 1_300

/** Why somebody is not here any more, as it is stamped on their card. */
export type Farewell = 'left' | 'timed out'

/** The people, one card each: oneself first, then in the order in which they came. */
export class Grid {
  readonly #list: HTMLUListElement
  readonly #more: HTMLElement
  readonly #invitation: HTMLElement
  readonly #selfId: string
  readonly #cards = new Map<string, Card>()

  constructor(list: HTMLUListElement, more: HTMLElement, invitation: HTMLElement, selfId: string) {
    this.#list = list
    this.#more = more
    this.#invitation = invitation
    this.#selfId = selfId
  }

  show(members: ReadonlyMap<string, Member>, shares: readonly NodeShare[], farewells: ReadonlyMap<string, Farewell>, isAway: (userId: string) => boolean): void {
    const shown = this.#inOrder(members).slice(0, MOST_CARDS)
    const colours = new Map(shares.map(({ nodeId, colour }) => [nodeId, colour]))
    const newcomers = shown.filter(({ userId }) => !this.#cards.has(userId))
    const wanted = new Set(shown.map(({ userId }) => userId))
    const gone = [...this.#cards.keys()].filter((userId) => !wanted.has(userId))

    if (newcomers.length > 0) {
      glide(this.#list, () => {
        for (const { userId } of newcomers) this.#add(userId, newcomers.length <= MOST_WELCOMES)
        this.#order(shown)
      })
    }
    for (const member of shown) {
      const card = this.#cards.get(member.userId)
      if (card === undefined) continue
      card.show(member, colours.get(member.states.node ?? '') ?? -1)
      card.isAway = isAway(member.userId)
    }
    for (const userId of gone) {
      const stillHere = members.has(userId)
      this.#remove(userId, stillHere || gone.length > MOST_WELCOMES ? null : (farewells.get(userId) ?? 'left'))
    }
    const rest = members.size - shown.length
    this.#more.hidden = rest <= 0
    setText(this.#more, `and ${rest} more`)
  }

  /** Takes everything away at once. */
  clear(): void {
    for (const userId of [...this.#cards.keys()]) this.#remove(userId, null)
    this.#more.hidden = true
  }

  #inOrder(members: ReadonlyMap<string, Member>): Member[] {
    const self = (member: Member): number => (member.userId === this.#selfId ? 0 : 1)
    return [...members.values()].sort(
      (a, b) => self(a) - self(b) || a.joinedAt - b.joinedAt || (a.userId < b.userId ? -1 : 1),
    )
  }

  #add(userId: string, welcome: boolean): void {
    const card = new Card(userId, userId === this.#selfId)
    if (welcome) card.arrive()
    this.#cards.set(userId, card)
  }

  /** Puts the cards in order and moves none that stands right; stamped ones stay where they are. */
  #order(shown: readonly Member[]): void {
    let next = this.#skipGone(this.#list.firstElementChild)
    for (const { userId } of shown) {
      const element = this.#cards.get(userId)?.element
      if (element === undefined) continue
      if (element === next) next = this.#skipGone(next.nextElementSibling)
      else this.#list.insertBefore(element, next ?? this.#invitation)
    }
  }

  #skipGone(element: Element | null): Element | null {
    let next = element
    while (next instanceof HTMLElement && next.dataset.gone !== undefined) next = next.nextElementSibling
    return next
  }

  #remove(userId: string, stamp: Farewell | null): void {
    const card = this.#cards.get(userId)
    if (card === undefined) return
    this.#cards.delete(userId)
    if (stamp === null) {
      card.element.remove()
      return
    }
    card.depart(stamp)
    setTimeout(() => {
      glide(this.#list, () => {
        card.element.remove()
      })
    }, FAREWELL_MS)
  }
}
