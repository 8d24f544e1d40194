import type { Invitation, LinkState, LinkStateEvent, PeerMessage, RollcallClient, RosterNotice, StatusNotice } from '../../client/index.js'
import { isRetryable, problemOf } from '../problems.js'
import { recall, remember } from '../tab-memory.js'
import { AddressBook } from './address-book.js'
import { Calls, endWords, peerOf } from './calls.js'
import { ANSWERS, ASKS, fieldsOf, type OwnStatus } from './standing.js'
import type { Step } from './steps.js'
import { fateOf, Talks, type Fate } from './talks.js'

/** Whoever has not answered by then how they are is not there. */
const ANSWER_MS = 3_000
const AGAIN_MS = 2_000
/** Of a name that was somebody else's, so many friends are let go. */
const MOST_INHERITED = 15
const GREETING = 'hello from the demo'
/** Errors that say no more than an event does: somebody else was faster. */
const NO_NEWS = ['INVITATION_ENDED', 'INVITATION_UNKNOWN']
/** The answer was lost, and with it what became of the message. */
const UNANSWERED = ['PRESENCE_OPERATION_TIMEOUT', 'PRESENCE_REQUEST_CANCELLED']

export interface PersonWatcher {
  /** Anything that is shown may have changed. Called often; draw once a frame. */
  readonly changed: () => void
  readonly failed: (error: unknown) => void
}

/** One of the people that this page plays: the SDK's friends, statuses, messages and calls, with what has come of them. */
export class Person {
  readonly userId: string
  readonly book = new AddressBook()
  readonly talks = new Talks()
  readonly calls: Calls
  /** What this person has seen happen. */
  readonly seen = new Set<Step>()
  readonly #client: RollcallClient
  readonly #watcher: PersonWatcher
  readonly #memory: string
  #isNewName: boolean
  #hasEntered = false
  #own: OwnStatus
  /** What is under way, so that a second click does nothing. */
  readonly #busy = new Set<string>()
  #notices = 0
  #answersDue: ReturnType<typeof setTimeout> | undefined
  #last: Promise<unknown> = Promise.resolve()

  /** @param isNewName the name was drawn by chance: whose it was before, their friends are not this person's */
  constructor(client: RollcallClient, isNewName: boolean, watcher: PersonWatcher) {
    this.userId = client.userId
    this.#isNewName = isNewName
    this.calls = new Calls(client.userId)
    this.#client = client
    this.#watcher = watcher
    this.#memory = `status of ${client.userId}`
    const [standing, ...words] = (recall(this.#memory) ?? '').split('\n')
    this.#own = { standing: standing === 'away' ? 'away' : 'here', words: words.join(' ') }
    this.#listen()
  }

  get link(): LinkState {
    return this.#client.linkState
  }

  /** Whether there is a session, or one on its way; its connection may be lost for a moment. */
  get isSignedIn(): boolean {
    return this.link !== 'IDLE' && this.link !== 'FAILED'
  }

  /** Knows their friends: who asks now is not let go with somebody else's. */
  get hasEntered(): boolean {
    return this.#hasEntered
  }

  get own(): OwnStatus {
    return this.#own
  }

  async signIn(): Promise<void> {
    await this.#client.login()
  }

  signOut(): Promise<void> {
    return this.#client.logout()
  }

  /** Tells all friends. */
  say(own: OwnStatus): void {
    if (own.standing === this.#own.standing && own.words === this.#own.words) return
    this.#own = own
    remember(this.#memory, `${own.standing}\n${own.words}`)
    this.#watcher.changed()
    if (this.link === 'CONNECTED') this.#inTurn(() => this.#client.status.broadcast(fieldsOf(this.#own)))
  }

  /** Asks somebody to be a friend, or agrees to it. */
  befriend(userId: string): void {
    this.#do(`roster ${userId}`, async () => {
      const { isFriend } = await this.#client.roster.add(userId, GREETING)
      if (isFriend) this.#befriended(userId)
      else if (!this.book.isFriend(userId)) this.book.tie(userId, 'asked')
    })
  }

  /** Ends a friendship, refuses a request, or takes one back. */
  part(userId: string): void {
    this.#do(`roster ${userId}`, async () => {
      await this.#client.roster.remove(userId)
      this.book.part(userId)
    })
  }

  write(userId: string, text: string, keep: boolean): void {
    const key = this.talks.say(userId, text)
    this.#watcher.changed()
    const settle = (fate: Fate, why = ''): void => {
      this.talks.settle(userId, key, fate, why)
      if (fate === 'received') this.seen.add('message')
      this.#watcher.changed()
    }
    this.#client.messages.send(userId, text, { offline: keep }).then(
      (result) => {
        settle(fateOf(result, keep))
      },
      (error: unknown) => {
        if (UNANSWERED.includes(codeOf(error))) settle('unknown')
        else settle('unsent', problemOf(error).title)
      },
    )
  }

  call(userId: string): void {
    this.#do(`call ${userId}`, () => this.#client.invitations.send(userId))
  }

  accept(id: string): void {
    this.#do(`answer ${id}`, () => this.#client.invitations.accept(id))
  }

  refuse(id: string): void {
    this.#do(`answer ${id}`, () => this.#client.invitations.refuse(id, 'not now'))
  }

  cancel(id: string): void {
    this.#do(`answer ${id}`, () => this.#client.invitations.cancel(id))
  }

  /** Looks at the roster again: another window of the same person may have changed it. */
  look(): void {
    if (this.link === 'CONNECTED') this.#do('look', () => this.#readRoster())
  }

  #listen(): void {
    const client = this.#client
    client.addEventListener('roster', (notice) => {
      this.#noticed(notice)
    })
    client.addEventListener('status', (notice) => {
      this.#told(notice)
    })
    client.addEventListener('message', (message) => {
      this.#heard(message)
    })
    client.addEventListener('invitation', (invitation) => {
      this.#rung(invitation)
    })
    client.addEventListener('linkState', (event) => {
      this.#linked(event)
    })
  }

  #linked({ currentState }: LinkStateEvent): void {
    if (currentState === 'CONNECTED') void this.#enter()
    if (currentState === 'IDLE' || currentState === 'FAILED') {
      clearTimeout(this.#answersDue)
      this.book.askAll()
      this.book.giveUpSilent()
    }
    this.#watcher.changed()
  }

  /** A login tells friends nothing (`001.5`): whoever is there says so, and asks how the others are. Statuses are kept by nobody, so also after a lost connection. */
  async #enter(): Promise<void> {
    try {
      if (this.#isNewName) await this.#letGo()
      this.#isNewName = false
      await this.#readRoster()
      this.#hasEntered = true
      this.#watcher.changed()
      this.book.askAll()
      await this.#client.status.broadcast({ subStatus: ASKS, ...fieldsOf(this.#own) })
      clearTimeout(this.#answersDue)
      this.#answersDue = setTimeout(() => {
        this.book.giveUpSilent()
        this.#watcher.changed()
      }, ANSWER_MS)
    } catch (error) {
      if (this.link !== 'CONNECTED') return
      if (!isRetryable(error)) this.#watcher.failed(error)
      else setTimeout(() => { if (this.link === 'CONNECTED') void this.#enter() }, AGAIN_MS)
    }
  }

  async #letGo(): Promise<void> {
    const { friends, asked, requests } = await this.#client.roster.list()
    for (const userId of [...friends, ...asked, ...requests.map((request) => request.userId)].slice(0, MOST_INHERITED)) await this.#client.roster.remove(userId)
  }

  /** Again, when there was news while it was read. */
  async #readRoster(): Promise<void> {
    for (let before = -1; before !== this.#notices;) {
      before = this.#notices
      this.book.replace(await this.#client.roster.list())
    }
    if (this.book.contacts.some(({ tie }) => tie === 'friend')) this.seen.add('friends')
    this.#watcher.changed()
  }

  #noticed(notice: RosterNotice): void {
    this.#notices++
    if (notice.type === 'FRIENDS') this.#befriended(notice.userId)
    else this.book.noticed(notice)
    this.#watcher.changed()
  }

  /** Whoever is new is told how one is; they do the same. */
  #befriended(userId: string): void {
    if (this.book.isFriend(userId)) return
    this.book.tie(userId, 'friend')
    this.seen.add('friends')
    this.#inTurn(() => this.#client.status.send(userId, fieldsOf(this.#own)))
  }

  #told(notice: StatusNotice): void {
    const { from, offline, subStatus } = notice
    if (from === this.userId) {
      // One's own last session was given up, but here is another (`001.12`).
      if (offline === true) this.#inTurn(() => this.#client.status.broadcast(fieldsOf(this.#own)))
      return
    }
    this.book.told(notice)
    const contact = this.book.find(from)
    if (contact?.standing === 'away' || (contact?.words ?? '') !== '') this.seen.add('status')
    if (subStatus === ASKS && offline !== true) this.#inTurn(() => this.#client.status.send(from, { subStatus: ANSWERS, ...fieldsOf(this.#own) }))
    this.#watcher.changed()
  }

  #heard(message: PeerMessage): void {
    this.talks.hear(message)
    if (message.offline) this.seen.add('later')
    this.#watcher.changed()
  }

  #rung(invitation: Invitation): void {
    if (this.calls.learn(invitation, performance.now())) {
      this.talks.noteCall(peerOf(invitation, this.userId), invitation.id, endWords(invitation, this.userId, this.#client.sessionId), invitation.timestamp)
      if (invitation.state === 'ACCEPTED') this.seen.add('call')
    }
    this.#watcher.changed()
  }

  /** Statuses leave one after the other: the last one is what counts. What is lost is said again at the next login. */
  #inTurn(tell: () => Promise<unknown>): void {
    this.#last = this.#last.then(tell).catch((error: unknown) => {
      if (!isRetryable(error)) this.#watcher.failed(error)
    })
  }

  #do(what: string, run: () => Promise<unknown>): void {
    if (this.#busy.has(what)) return
    this.#busy.add(what)
    run()
      .catch((error: unknown) => {
        if (!NO_NEWS.includes(codeOf(error))) this.#watcher.failed(error)
      })
      .finally(() => {
        this.#busy.delete(what)
        this.#watcher.changed()
      })
  }
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
