import { byId, setText } from './dom.js'
import type { Attendance } from './room.js'

interface InvitationState {
  readonly attendance: Attendance
  readonly occupancy: number
  /** Whether the occupancy is known; nobody is told to be alone on a guess. */
  readonly isReady: boolean
}

/** The empty place in the grid: it says what to do in a room without company, or outside of one. */
export class Invitation {
  readonly element = byId('invitation', HTMLElement)
  readonly #words = byId('invitation-words', HTMLElement)
  readonly #link = byId('invitation-link', HTMLAnchorElement)
  readonly #back = byId('invitation-back', HTMLButtonElement)

  set onReturn(run: () => void) {
    this.#back.addEventListener('click', run)
  }

  show({ attendance, occupancy, isReady }: InvitationState): void {
    const words = wordsFor(attendance, occupancy)
    this.element.hidden = !isReady || words === ''
    setText(this.#words, words)
    this.#link.hidden = attendance === 'out'
    this.#back.hidden = attendance !== 'out'
  }
}

function wordsFor(attendance: Attendance, occupancy: number): string {
  switch (attendance) {
    case 'out':
      return 'You are not in the room.'
    case 'quiet':
      return occupancy === 0 ? 'Nobody is here, and nobody knows that you are watching.' : ''
    case 'seen':
      return occupancy <= 1 ? 'Only you so far.' : ''
  }
}
