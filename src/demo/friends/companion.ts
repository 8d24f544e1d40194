import { RollcallClient } from '../../client/index.js'
import { friendlyName } from '../names.js'
import { asksForToken } from '../problems.js'
import { SEAT_KEPT_MS } from '../room.js'
import type { Settings } from '../settings.js'
import { recall, remember } from '../tab-memory.js'
import { Person, type PersonWatcher } from './person.js'

/** The second person, whom the page plays: a session of its own, in no room. */
export class Companion {
  readonly person: Person
  readonly #watcher: PersonWatcher
  #isRefused = false

  constructor({ appId, userId }: Pick<Settings, 'appId' | 'userId'>, watcher: PersonWatcher) {
    this.#watcher = watcher
    const known = recall('companion')
    const name = known === null || known === userId ? nameBeside(userId) : known
    remember('companion', name)
    this.person = new Person(new RollcallClient(appId, name, { presenceTimeout: SEAT_KEPT_MS }), name !== known, watcher)
  }

  /** This cluster lets in nobody without a token, and this page has one for the visitor only. */
  get isRefused(): boolean {
    return this.#isRefused
  }

  async signIn(): Promise<void> {
    try {
      await this.person.signIn()
      this.#isRefused = false
    } catch (error) {
      if (asksForToken(error)) this.#isRefused = true
      else this.#watcher.failed(error)
    }
    this.#watcher.changed()
  }

  async signOut(): Promise<void> {
    await this.person.signOut()
    this.#watcher.changed()
  }
}

function nameBeside(visitor: string): string {
  const name = friendlyName()
  return name === visitor ? nameBeside(visitor) : name
}
