/** What each event's listeners are called with. */
export type EventMap<Events> = { readonly [Name in keyof Events]: readonly unknown[] }

type ListenerOf<Args extends readonly unknown[]> = (...args: Args) => void

interface Entry {
  readonly listener: ListenerOf<never>
  readonly once: boolean
}

/** Events that nobody has heard and that are kept for the first who listens; of more the oldest are dropped. */
const UNHEARD_MAX = 1_000

/** `on`, `off` and `once` with any number of arguments, as the original's objects have them. Listeners are called in the order in which they were added. */
export class RtmEmitter<Events extends EventMap<Events>> {
  readonly #listeners = new Map<keyof Events, readonly Entry[]>()
  readonly #unheard = new Map<keyof Events, Events[keyof Events][]>()

  /** @param kept events that wait for the first listener: whoever adds one late misses none of them */
  constructor(kept: readonly (keyof Events)[] = []) {
    for (const name of kept) this.#unheard.set(name, [])
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
    const unheard = this.#unheard.get(name)
    if (entries.length === 0 && unheard !== undefined) {
      unheard.push(args)
      if (unheard.length > UNHEARD_MAX) unheard.shift()
    }
    for (const entry of entries) {
      if (entry.once) this.#remove(name, entry)
      try {
        ;(entry.listener as ListenerOf<Events[Name]>)(...args)
      } catch (error) {
        setTimeout(() => {
          throw error
        }, 0)
      }
    }
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
    if ((this.#unheard.get(name)?.length ?? 0) > 0) queueMicrotask(() => this.#catchUp(name))
    return this
  }

  #catchUp(name: keyof Events): void {
    const unheard = this.#unheard.get(name) ?? []
    for (let waiting = unheard.length; waiting > 0; waiting--) {
      const args = unheard.shift()
      if (args !== undefined) this.emit(name, ...args)
    }
  }
}
