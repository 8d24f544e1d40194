import { copyOf, part, setText } from './dom.js'
import type { LogLine } from './log-lines.js'

const MOST_LINES = 60
/** Milliseconds within which lines of one group become one. */
const TOGETHER_MS = 6_000

interface Shown {
  readonly element: HTMLLIElement
  readonly line: LogLine
  readonly at: number
  readonly times: number
}

/** The event log: the newest line first, and never more than {@link MOST_LINES}. */
export class LogView {
  #newest: Shown | null = null
  readonly #list: HTMLOListElement
  readonly #clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false })

  constructor(list: HTMLOListElement) {
    this.#list = list
  }

  add(line: LogLine, at = Date.now()): void {
    const last = this.#newest
    const joinsLast = last !== null && line.group !== '' && last.line.group === line.group && at - last.at < TOGETHER_MS
    const element = joinsLast ? last.element : this.#newElement()
    const times = joinsLast ? last.times + 1 : 1
    element.dataset.kind = line.kind
    setText(part(element, '.entry__time', HTMLTimeElement), this.#clock.format(at))
    part(element, '.entry__time', HTMLTimeElement).dateTime = new Date(at).toISOString()
    setText(part(element, '.entry__who', HTMLElement), line.who)
    setText(part(element, '.entry__what', HTMLElement), line.what)
    setText(part(element, '.entry__times', HTMLElement), times > 1 ? `×${times}` : '')
    this.#newest = { element, line, at, times }
  }

  #newElement(): HTMLLIElement {
    const element = copyOf('entry-template', HTMLLIElement)
    this.#list.prepend(element)
    while (this.#list.childElementCount > MOST_LINES) this.#list.lastElementChild?.remove()
    return element
  }
}
