import { copyOf, part, setText } from '../dom.js'
import type { ItemView } from './keyed-list.js'
import { fateWords, type Line } from './talks.js'

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hour12: false })

/** One line of a conversation, with what is known of it. */
export class LineView implements ItemView<Line> {
  readonly element = copyOf('line-template', HTMLDivElement)
  readonly #fate = part(this.element, '.line__fate', HTMLElement)

  /** @param from whose words they are, for those who do not see on which side they stand */
  constructor(line: Line, from: string) {
    this.element.dataset.kind = line.kind
    setText(part(this.element, '.line__from', HTMLElement), line.kind === 'call' ? '' : `${from}: `)
    setText(part(this.element, '.line__text', HTMLElement), line.text)
    const time = part(this.element, '.line__time', HTMLTimeElement)
    time.dateTime = new Date(line.at).toISOString()
    setText(time, clock.format(line.at))
  }

  show(line: Line): void {
    if (line.kind === 'own') {
      this.element.dataset.fate = line.fate
      setText(this.#fate, fateWords(line))
    } else if (line.kind === 'theirs' && line.isLate) {
      this.element.dataset.fate = 'late'
      setText(this.#fate, 'waited for your login')
    }
  }
}
