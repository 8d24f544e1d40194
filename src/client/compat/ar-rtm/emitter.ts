import { rethrowLater } from '../../emitter.js'

/** What each event's listeners are called with. */
export type EventMap<Events> = { readonly [Name in keyof Events]: readonly unknown[] }

type ListenerOf<Args extends readonly unknown[]> = (...args: Args) => void

interface Entry {
  readonly listener: ListenerOf<never>
  readonly once: boolean
}

/** Events of one name that nobody has heard and that are kept for the first who listens; of more the oldest are dropped. */
const UNHEARD_MAX = 1_000

/** Which events wait for the first listener, each with whether it is still worth hearing by then. */
type KeptEvents<Events extends EventMap<Events>> = { readonly [Name in keyof Events]?: (...args: Events[Name]) => boolean }

/** `on`, `off` and `once` with any number of arguments, as the original's objects have them. Listeners are called in the order in which they were added. */
export class RtmEmitter<Events extends EventMap<Events>> {
  readonly #listeners = new Map<keyof Events, readonly Entry[]>()
  readonly #unheard = new Map<keyof Events, Events[keyof Events][]>()
  readonly #kept: KeptEvents<Events>

  /** @param kept whoever adds a listener late misses none of these */
  constructor(kept: KeptEvents<Events> = {}) {
    this.#kept = kept
  }

  on<Name extends keyof Events>(name: Name, listener: ListenerOf<Events[Name]>): this {
    return this.#add(name, { listener, once: false })
  }

  once<Name extends keyof Events>(name: Name, listener: ListenerOf<Events[Name]>): this {
    return this.#add(name, { listener, once: true })
  }

  /** One that was added several times goes once, the last one first. */
  off<Name extends keyof Events>(name: Name, listener: ListenerOf<Events[Name]>): this {
    this.#remove(name, this.#of(name).findLast((entry) => entry.listener === listener))
    return this
  }

  /** Called by the layer itself. A listener that throws keeps nobody from hearing; its error surfaces as any uncaught one. */
  protected emit<Name extends keyof Events>(name: Name, ...args: Events[Name]): void {
    const entries = this.#of(name)
    if (entries.length === 0 && this.#kept[name] !== undefined) this.#unheard.set(name, [...(this.#unheard.get(name) ?? []), args].slice(-UNHEARD_MAX))
    for (const entry of entries) {
      if (entry.once) this.#remove(name, entry)
      try {
        ;(entry.listener as ListenerOf<Events[Name]>)(...args)
      } catch (error) {
        rethrowLater(error)
      }
    }
  }

  /** Nobody is told any more of what nobody has heard so far. */
  protected forgetUnheard(name: keyof Events): void {
    this.#unheard.delete(name)
  }

  #of(name: keyof Events): readonly Entry[] {
    return this.#listeners.get(name) ?? []
  }

  #remove(name: keyof Events, entry: Entry | undefined): void {
    this.#listeners.set(name, this.#of(name).filter((other) => other !== entry))
  }

  #add(name: keyof Events, entry: Entry): this {
    if (typeof entry.listener !== 'function') throw new TypeError('a listener is a function')
    this.#listeners.set(name, [...this.#of(name), entry])
    // Not within the call that adds it.
    if (this.#unheard.has(name)) queueMicrotask(() => this.#catchUp(name))
    return this
  }

  #catchUp(name: keyof Events): void {
    const unheard = this.#unheard.get(name) ?? []
    this.#unheard.delete(name)
    for (const args of unheard) if (this.#kept[name]?.(...args) === true) this.emit(name, ...args)
  }
}
