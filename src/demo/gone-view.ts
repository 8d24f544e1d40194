import { ago, type Gone } from './company.js'
import { byId, copyOf, part, setText } from './dom.js'
import { initials, tintOf } from './names.js'

/** A line of those who were here: where they are now, or when they were last seen. */
export class GoneView {
  readonly #section = byId('gone', HTMLElement)
  readonly #list = byId('gone-list', HTMLUListElement)
  readonly #shown = new Map<string, HTMLLIElement>()
  readonly #clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

  show(gone: readonly Gone[], now = Date.now()): void {
    const wanted = new Set(gone.map(({ userId }) => userId))
    for (const [userId, element] of this.#shown) {
      if (wanted.has(userId)) continue
      element.remove()
      this.#shown.delete(userId)
    }
    gone.forEach((person, index) => {
      const element = this.#shown.get(person.userId) ?? this.#add(person.userId)
      this.#tell(element, person, now)
      if (this.#list.children[index] !== element) this.#list.insertBefore(element, this.#list.children[index] ?? null)
    })
    this.#section.hidden = gone.length === 0
  }

  #add(userId: string): HTMLLIElement {
    const element = copyOf('gone-template', HTMLLIElement)
    element.dataset.tint = tintOf(userId)
    setText(part(element, '.gone__face', HTMLElement), initials(userId))
    setText(part(element, '.gone__name', HTMLElement), userId)
    this.#shown.set(userId, element)
    return element
  }

  #tell(element: HTMLLIElement, { userId, status, lastSeen }: Gone, now: number): void {
    const when = part(element, '.gone__when', HTMLTimeElement)
    element.dataset.status = status
    setText(when, status === 'ONLINE' ? 'online, elsewhere' : status === 'UNREACHABLE' ? 'reconnecting…' : `seen ${ago(now - (lastSeen ?? now))}`)
    if (lastSeen === null) when.removeAttribute('datetime')
    else when.dateTime = new Date(lastSeen).toISOString()
    element.title = lastSeen === null ? userId : `${userId}, last seen ${this.#clock.format(lastSeen)}`
  }
}
