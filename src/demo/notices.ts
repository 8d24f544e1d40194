import { byId, copyOf, part, setText } from './dom.js'
import type { Problem } from './problems.js'

const MOST_NOTICES = 3

/** What the reader can do about it, on a button. */
export interface NoticeAction {
  readonly label: string
  readonly run: () => void
}

/** Messages at the foot of the page. The same one twice is one message; nothing goes before it has been read. */
export class Notices {
  readonly #place = byId('notices', HTMLElement)

  show(problem: Problem, action?: NoticeAction): void {
    const key = problem.code || problem.title
    for (const old of this.#place.children) {
      if (old instanceof HTMLElement && old.dataset.key === key) old.remove()
    }
    const notice = copyOf('notice-template', HTMLDivElement)
    notice.dataset.key = key
    setText(part(notice, '.notice__title', HTMLElement), problem.title)
    setText(part(notice, '.notice__advice', HTMLElement), problem.advice)
    setText(part(notice, '.notice__code', HTMLElement), problem.code)
    part(notice, '.notice__close', HTMLButtonElement).addEventListener('click', () => {
      notice.remove()
    })
    if (action !== undefined) addAction(notice, action)
    this.#place.append(notice)
    // Said after it is there: a live region that is born with its text is not read out.
    notice.setAttribute('role', 'alert')
    while (this.#place.childElementCount > MOST_NOTICES) this.#place.firstElementChild?.remove()
  }

  clear(): void {
    this.#place.replaceChildren()
  }
}

function addAction(notice: HTMLElement, { label, run }: NoticeAction): void {
  const button = part(notice, '.notice__action', HTMLButtonElement)
  setText(button, label)
  button.hidden = false
  button.addEventListener('click', () => {
    notice.remove()
    run()
  })
}
