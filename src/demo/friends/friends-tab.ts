import type { RollcallClient } from '../../client/index.js'
import { byId, setText } from '../dom.js'
import { friendsAddress, type Settings } from '../settings.js'
import { Companion } from './companion.js'
import { Person, type PersonWatcher } from './person.js'
import { PersonView } from './person-view.js'
import { Ringer } from './ringer.js'
import { Sides } from './sides.js'
import { type Scene, type Step } from './steps.js'
import { StepsView } from './steps-view.js'

/** How often the seconds of a call that rings are drawn again. */
const TICK_MS = 500

export interface FriendsTabWatcher extends PersonWatcher {
  /** The visitor wants to log in again. */
  readonly signIn: () => void
  /** Who is in the room. */
  readonly around: () => Iterable<string>
}

/** The second tab: the visitor, and a second person whom the page plays, side by side. The second one comes when the tab is first opened. */
export class FriendsTab {
  readonly #settings: Settings
  readonly #watcher: FriendsTabWatcher
  readonly #visitor: Person
  readonly #visitorView: PersonView
  readonly #ringer = new Ringer()
  readonly #steps = new StepsView()
  readonly #sides: Sides
  readonly #both = byId('both', HTMLElement)
  readonly #badge = byId('tab-news', HTMLElement)
  readonly #alone = byId('alone', HTMLElement)
  #companion: Companion | null = null
  #companionView: PersonView | null = null
  #isOpen = false

  constructor(settings: Settings, client: RollcallClient, watcher: FriendsTabWatcher) {
    this.#settings = settings
    this.#watcher = watcher
    this.#visitor = new Person(client, settings.isNewName, watcher)
    this.#visitorView = new PersonView(this.#visitor, { role: 'you', elsewhere: null, around: () => this.#around(), signIn: watcher.signIn, signOut: null })
    this.#both.prepend(this.#visitorView.element)
    this.#sides = new Sides(() => { watcher.changed() })
    this.#sides.add(settings.userId, 'you')
    setText(byId('friends-self', HTMLElement), settings.userId)
    setInterval(() => {
      if (this.#isOpen && this.#people().some(({ calls }) => calls.open.length > 0)) watcher.changed()
    }, TICK_MS)
    // Another window of the same person may have changed the roster.
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible' && this.#isOpen) for (const person of this.#people()) person.look()
    })
  }

  /** Who is calling the visitor; `null` for nobody. */
  get caller(): string | null {
    return this.#visitor.calls.incoming[0]?.peer ?? null
  }

  set isOpen(isOpen: boolean) {
    this.#isOpen = isOpen
    if (isOpen && this.#companion === null) this.#invite()
    else if (isOpen) this.#visitor.look()
    this.#watcher.changed()
  }

  draw(): void {
    const companion = this.#companion
    this.#ringer.show(this.#people().flatMap((person) => person.calls.incoming.map((call) => ({ call, callee: person === this.#visitor ? 'you' : person.userId }))))
    const own = newsOf(this.#visitor)
    this.#badge.dataset.ringing = String(own.isRinging)
    setText(this.#badge, this.#isOpen ? '' : own.isRinging ? `☎ ${this.caller}` : own.news > 0 ? `${own.news} new` : '')
    if (!this.#isOpen) return
    this.#visitorView.show(this.#sides.isLookedAt(0))
    this.#companionView?.show(this.#sides.isLookedAt(1))
    const isPlayed = companion !== null && !companion.isRefused
    const isAlone = companion?.isRefused === true
    this.#alone.hidden = !isAlone
    byId('friends-lead', HTMLElement).hidden = isAlone
    byId('friends-lead-alone', HTMLElement).hidden = !isAlone
    if (this.#companionView !== null) this.#companionView.element.hidden = !isPlayed
    this.#sides.show([newsOf(this.#visitor), ...(isPlayed ? [newsOf(companion.person)] : [])])
    const done = new Set<Step>(this.#people().flatMap(({ seen }) => [...seen]))
    this.#steps.show(done, isPlayed ? sceneOf(this.#visitor, companion.person) : null)
  }

  #invite(): void {
    const companion = new Companion(this.#settings, this.#watcher)
    const { userId } = companion.person
    this.#companion = companion
    this.#companionView = new PersonView(companion.person, {
      role: 'played by this page',
      elsewhere: friendsAddress(this.#settings.room, this.#settings.appId, userId),
      around: () => (this.#visitor.hasEntered ? [this.#settings.userId] : []),
      signIn: () => void companion.signIn(),
      signOut: () => void companion.signOut(),
    })
    this.#visitorView.element.after(this.#companionView.element)
    this.#sides.add(userId, 'the other side')
    setText(byId('friends-companion', HTMLElement), userId)
    void companion.signIn()
  }

  #around(): Iterable<string> {
    const companion = this.#companion?.person
    return companion?.hasEntered === true ? [companion.userId, ...this.#watcher.around()] : this.#watcher.around()
  }

  #people(): readonly Person[] {
    return this.#companion === null ? [this.#visitor] : [this.#visitor, this.#companion.person]
  }
}

function newsOf({ calls, talks, book }: Person): { readonly isRinging: boolean; readonly news: number } {
  return { isRinging: calls.incoming.length > 0, news: talks.allUnread + book.contacts.filter(({ tie }) => tie === 'asks').length }
}

function sceneOf(visitor: Person, companion: Person): Scene {
  const tie = visitor.book.find(companion.userId)?.tie
  return {
    companion: companion.userId,
    isSignedIn: companion.isSignedIn,
    asked: tie === 'asked' ? 'you' : tie === 'asks' ? 'companion' : null,
    isKept: visitor.talks.with(companion.userId).some((line) => line.kind === 'own' && line.fate === 'kept'),
    isRinging: [visitor, companion].some(({ calls }) => calls.open.length > 0),
  }
}
