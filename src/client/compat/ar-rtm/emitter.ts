/** What each event's listeners are called with. */
export type EventMap<Events> = { readonly [Name in keyof Events]: readonly unknown[] }

type ListenerOf<Args extends readonly unknown[]> = (...args: Args) => void

/** `on`, `off` and `once` with any number of arguments, as the original's objects have them. Listeners are called in the order in which they were added. */
export class RtmEmitter<Events extends EventMap<Events>> {
  readonly #listeners = new Map<keyof Events, { readonly listener: ListenerOf<never>; readonly once: boolean }[]>()

  on<Name extends keyof Events>(name: Name, listener: ListenerOf<Events[Name]>): this {
    return this.#add(name, listener, false)
  }

  once<Name extends keyof Events>(name: Name, listener: ListenerOf<Events[Name]>): this {
    return this.#add(name, listener, true)
  }

  off<Name extends keyof Events>(name: Name, listener: ListenerOf<Events[Name]>): this {
    const kept = (this.#listeners.get(name) ?? []).filter((each) => each.listener !== listener)
    this.#listeners.set(name, kept)
    return this
  }

  /** Called by the layer itself. A listener that throws keeps nobody from hearing; its error surfaces as any uncaught one. */
  protected emit<Name extends keyof Events>(name: Name, ...args: Events[Name]): void {
    for (const each of [...(this.#listeners.get(name) ?? [])]) {
      if (each.once) this.off(name, each.listener as ListenerOf<Events[Name]>)
      try {
        ;(each.listener as ListenerOf<Events[Name]>)(...args)
      } catch (error) {
        setTimeout(() => {
          throw error
        }, 0)
      }
    }
  }

  #add<Name extends keyof Events>(name: Name, listener: ListenerOf<Events[Name]>, once: boolean): this {
    if (typeof listener !== 'function') throw new TypeError('a listener is a function')
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), { listener, once }])
    return this
  }
}
