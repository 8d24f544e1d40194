import { copyOf, part, prefersStillness, setText } from './dom.js'
import { initials, tintOf } from './names.js'
import { shortNodeId } from './nodes.js'
import { excerpt, profileOf } from './profile.js'
import type { Member } from '../client/index.js'

/** One person's card. It writes only what differs from what it shows, and glows when somebody changed something. */
export class Card {
  readonly element: HTMLLIElement
  readonly #mood: HTMLElement
  readonly #mic: HTMLElement
  readonly #score: HTMLElement
  readonly #line: HTMLElement
  readonly #lineText: HTMLElement
  readonly #node: HTMLElement
  readonly #nodeText: HTMLElement
  readonly #glow: HTMLElement
  readonly #stamp: HTMLElement
  readonly #away: HTMLElement
  #shown: Member | null = null
  #colour = -1
  #isAway = false

  constructor(userId: string, isSelf: boolean) {
    const element = copyOf('card-template', HTMLLIElement)
    this.element = element
    this.#mood = part(element, '.card__mood', HTMLElement)
    this.#mic = part(element, '.card__mic', HTMLElement)
    this.#score = part(element, '.card__score', HTMLElement)
    this.#line = part(element, '.card__line', HTMLElement)
    this.#lineText = part(element, '.card__words', HTMLElement)
    this.#node = part(element, '.card__node', HTMLElement)
    this.#nodeText = part(element, '.card__node-id', HTMLElement)
    this.#glow = part(element, '.card__glow', HTMLElement)
    this.#stamp = part(element, '.card__verdict', HTMLElement)
    this.#away = part(element, '.card__away', HTMLElement)
    element.dataset.tint = tintOf(userId)
    element.classList.toggle('card--self', isSelf)
    const name = part(element, '.card__name', HTMLElement)
    setText(name, userId)
    name.title = userId
  }

  /** Shows the member. The reducer makes a new object for each change, so the same object is nothing new. */
  show(member: Member, nodeColour: number): void {
    if (nodeColour !== this.#colour) {
      this.#colour = nodeColour
      this.#node.dataset.colour = String(nodeColour)
    }
    const before = this.#shown
    if (before === member) return
    this.#shown = member
    const { mood, mic, signature, score } = profileOf(member.states)
    const { typing, node } = member.states
    this.#mark(this.#mood, mood === '' ? initials(member.userId) : mood, before !== null)
    this.#mark(this.#score, scoreText(score), before !== null)
    this.#score.dataset.sign = String(Math.sign(score))
    this.#mood.classList.toggle('card__mood--letters', mood === '')
    this.#mic.dataset.on = String(mic)
    setText(part(this.#mic, '.hidden', HTMLElement), mic ? 'mic on' : 'mic off')
    this.#line.dataset.typing = String(typing !== undefined)
    setText(this.#lineText, typing === undefined ? signature : excerpt(typing))
    setText(this.#nodeText, node === undefined ? 'node unknown' : shortNodeId(node))
    this.#node.title = node === undefined ? '' : `served by ${node}`
    if (before !== null && before.joinedAt === member.joinedAt) this.#shine()
  }

  /** Whether its owner has lost the connection, and may come back. */
  set isAway(isAway: boolean) {
    if (this.#isAway === isAway) return
    this.#isAway = isAway
    this.element.classList.toggle('card--away', isAway)
    setText(this.#away, isAway ? 'reconnecting…' : '')
  }

  /** A welcome for somebody who has just come. */
  arrive(): void {
    this.element.classList.add('card--new')
  }

  /** Stamps the card; its owner takes it away a little later. */
  depart(word: string): void {
    setText(this.#stamp, word)
    this.element.dataset.gone = word
    this.element.classList.remove('card--new')
  }

  #mark(element: HTMLElement, text: string, animate: boolean): void {
    if (element.textContent === text) return
    element.textContent = text
    if (!animate || text === '' || prefersStillness()) return
    element.animate([{ transform: 'scale(0.4)' }, { transform: 'scale(1.25)' }, { transform: 'none' }], { duration: 380, easing: 'ease-out' })
  }

  #shine(): void {
    // Light without movement: also for those who asked for stillness.
    this.#glow.animate([{ opacity: 1 }, { opacity: 0 }], { duration: 1400, easing: 'ease-out' })
  }
}

/** A score of nothing is not worth the ink. */
function scoreText(score: number): string {
  if (score === 0) return ''
  return score > 0 ? `+${score}` : `−${-score}`
}
