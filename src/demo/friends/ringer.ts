import { byId, setText } from '../dom.js'
import type { OpenCall } from './calls.js'

/** Says aloud that somebody is being called, wherever on the page one is. The seconds are not for it: it says each call once. */
export class Ringer {
  readonly #place = byId('ringer', HTMLElement)

  /** Calls that ring on this page, with whom they are for (`you`, or a name). */
  show(ringing: readonly { readonly call: OpenCall; readonly callee: string }[]): void {
    setText(this.#place, ringing.map(({ call, callee }) => `${call.peer} is calling ${callee}.`).join(' '))
  }
}
