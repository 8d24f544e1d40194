import { copyOf, part, setText } from '../dom.js'
import { initials, tintOf } from '../names.js'
import { ringWords, type OpenCall } from './calls.js'
import type { ItemView } from './keyed-list.js'

export interface RingWatcher {
  readonly accepted: (id: string) => void
  readonly refused: (id: string) => void
  readonly canceled: (id: string) => void
}

/** A call that rings, with the buttons of the side that it is shown to. */
export class RingView implements ItemView<OpenCall> {
  readonly element = copyOf('ring-template', HTMLDivElement)

  constructor({ invitation: { id }, isIncoming, peer }: OpenCall, { accepted, refused, canceled }: RingWatcher) {
    this.element.dataset.tint = tintOf(peer)
    this.element.dataset.side = isIncoming ? 'in' : 'out'
    setText(part(this.element, '.ring__face', HTMLElement), initials(peer))
    this.#button('.ring__accept', isIncoming, `Accept the call of ${peer}`, () => { accepted(id) })
    this.#button('.ring__refuse', isIncoming, `Refuse the call of ${peer}`, () => { refused(id) })
    this.#button('.ring__cancel', !isIncoming, `Cancel the call to ${peer}`, () => { canceled(id) })
  }

  show(call: OpenCall): void {
    setText(part(this.element, '.ring__words', HTMLElement), ringWords(call))
    const seconds = Math.max(0, Math.floor((performance.now() - call.since) / 1000))
    setText(part(this.element, '.ring__time', HTMLElement), `for ${seconds} s`)
  }

  #button(selector: string, isShown: boolean, label: string, press: () => void): void {
    const button = part(this.element, selector, HTMLButtonElement)
    button.hidden = !isShown
    button.setAttribute('aria-label', label)
    button.addEventListener('click', press)
  }
}
