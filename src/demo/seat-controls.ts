import type { LinkState } from '../client/index.js'
import { byId, setText } from './dom.js'
import { pullCable } from './network.js'
import { SEAT_KEPT_MS, type Attendance } from './room.js'

interface SeatWatcher {
  readonly attend: (wish: Attendance) => Promise<void>
  readonly cut: (seconds: number) => void
}

const SEAT_SECONDS = SEAT_KEPT_MS / 1000

/** Coming, going, hiding, and losing the connection on purpose. */
export class SeatControls {
  readonly #quiet = byId('quiet', HTMLInputElement)
  readonly #attend = byId('attend', HTMLButtonElement)
  readonly #cableHint = byId('cable-hint', HTMLElement)
  readonly #note = byId('you-note', HTMLElement)
  readonly #cuts = [...document.querySelectorAll<HTMLButtonElement>('[data-cut]')]
  readonly #watcher: SeatWatcher
  #attendance: Attendance = 'out'
  #link: LinkState = 'IDLE'
  #isBusy = false
  #cutLeftMs = 0

  constructor(watcher: SeatWatcher) {
    this.#watcher = watcher
    this.#quiet.addEventListener('change', () => void watcher.attend(this.#quiet.checked ? 'quiet' : 'seen'))
    this.#attend.addEventListener('click', () => void watcher.attend(this.#attendance === 'out' ? 'seen' : 'out'))
    for (const button of this.#cuts) {
      button.addEventListener('click', () => {
        this.#cut(Number(button.dataset.cut))
      })
    }
  }

  get isBusy(): boolean {
    return this.#isBusy
  }

  set isBusy(isBusy: boolean) {
    this.#isBusy = isBusy
    this.#draw()
  }

  show(attendance: Attendance, link: LinkState): void {
    this.#attendance = attendance
    this.#link = link
    this.#draw()
  }

  #cut(seconds: number): void {
    this.#watcher.cut(seconds)
    pullCable(seconds * 1000, (leftMs) => {
      this.#cutLeftMs = leftMs
      this.#draw()
    })
  }

  #draw(): void {
    const isOnline = this.#link === 'CONNECTED'
    this.#quiet.disabled = this.#isBusy || !isOnline || this.#attendance === 'out'
    this.#attend.disabled = this.#isBusy || !(isOnline || this.#link === 'FAILED')
    if (!this.#isBusy) this.#quiet.checked = this.#attendance === 'quiet'
    setText(this.#attend, this.#attendance === 'out' ? (this.#link === 'FAILED' ? 'Sign in again' : 'Join again') : 'Leave the room')
    for (const button of this.#cuts) button.disabled = !isOnline || this.#cutLeftMs > 0
    setText(this.#cableHint, this.#hint())
    const note = this.#attendance === 'quiet' ? 'You see everyone, and nobody sees you. Whoever is not seen has nothing to say.' : ''
    this.#note.hidden = note === ''
    setText(this.#note, note)
  }

  #hint(): string {
    if (this.#cutLeftMs > 0) return `The cable is out for ${Math.ceil(this.#cutLeftMs / 1000)} s more.`
    return `A lost connection keeps its seat for ${SEAT_SECONDS} s. After 5 the others have seen you reconnect; after 20, time out.`
  }
}
