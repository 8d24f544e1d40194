/** Runs a function in a later turn of the event loop, after all promise continuations that are due by then. */
type Defer = (run: () => void) => void

/** Whatever runs soonest: background tabs throttle timers to one a second, messages they do not. */
const defer: Defer = deferral()

function deferral(): Defer {
  const { setImmediate } = globalThis as { setImmediate?: (run: () => void) => unknown }
  if (typeof setImmediate === 'function') return (run) => void setImmediate(run)
  if (typeof MessageChannel === 'function') {
    const waiting: (() => void)[] = []
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => waiting.shift()?.()
    return (run) => {
      waiting.push(run)
      port2.postMessage(null)
    }
  }
  return (run) => void setTimeout(run, 0)
}

/**
 * The one queue of all events of a client. They leave in the order in which they came, never before the tick of the call
 * that caused them has ended: who awaits a call and then adds a listener misses nothing of what followed it.
 */
export class EventQueue {
  readonly #defer: Defer
  #waiting: (() => void)[] = []

  constructor(deferrer: Defer = defer) {
    this.#defer = deferrer
  }

  push(deliver: () => void): void {
    this.#waiting.push(deliver)
    if (this.#waiting.length === 1) this.#defer(() => this.#drain())
  }

  #drain(): void {
    const due = this.#waiting
    this.#waiting = []
    for (const deliver of due) deliver()
  }
}

/** A listener that throws must keep nothing else from happening; its error surfaces as any uncaught one. */
export function rethrowLater(error: unknown): void {
  setTimeout(() => {
    throw error
  }, 0)
}

export type Listener<Event> = (event: Event) => void

/**
 * `addEventListener`, `removeEventListener` and their short forms. A listener is held once an event type, as in the DOM.
 * Listeners are looked up when an event is delivered, not when it happens.
 */
export class Emitter<Events extends object> {
  readonly #queue: EventQueue
  readonly #listeners = new Map<keyof Events, Map<Listener<never>, { readonly once: boolean }>>()

  constructor(queue: EventQueue) {
    this.#queue = queue
  }

  addEventListener<Type extends keyof Events>(type: Type, listener: Listener<Events[Type]>, options: { readonly once?: boolean } = {}): void {
    if (typeof listener !== 'function') throw new TypeError('a listener is a function')
    const listeners = this.#listeners.get(type) ?? new Map<Listener<never>, { readonly once: boolean }>()
    if (!listeners.has(listener)) listeners.set(listener, { once: options.once === true })
    this.#listeners.set(type, listeners)
  }

  removeEventListener<Type extends keyof Events>(type: Type, listener: Listener<Events[Type]>): void {
    const listeners = this.#listeners.get(type)
    listeners?.delete(listener)
    if (listeners?.size === 0) this.#listeners.delete(type)
  }

  /** Alias of {@link addEventListener}. */
  on<Type extends keyof Events>(type: Type, listener: Listener<Events[Type]>): this {
    this.addEventListener(type, listener)
    return this
  }

  /** Alias of {@link addEventListener} for the next event only. */
  once<Type extends keyof Events>(type: Type, listener: Listener<Events[Type]>): this {
    this.addEventListener(type, listener, { once: true })
    return this
  }

  /** Alias of {@link removeEventListener}. */
  off<Type extends keyof Events>(type: Type, listener: Listener<Events[Type]>): this {
    this.removeEventListener(type, listener)
    return this
  }

  /** Whether anybody is there to hear an event of this type. */
  protected hears(type: keyof Events): boolean {
    return this.#listeners.has(type)
  }

  /** Queues an event. */
  protected emit<Type extends keyof Events>(type: Type, event: Events[Type]): void {
    this.later(() => this.deliver(type, event))
  }

  /** Queues whatever will {@link deliver}. */
  protected later(run: () => void): void {
    this.#queue.push(run)
  }

  /** Answers whether anybody listened. */
  protected deliver<Type extends keyof Events>(type: Type, event: Events[Type]): boolean {
    // A copy: who is added or removed by a listener is heeded from the next event on.
    const listeners = [...(this.#listeners.get(type) ?? [])]
    for (const [listener, { once }] of listeners) {
      if (once) this.removeEventListener(type, listener as Listener<Events[Type]>)
      try {
        ;(listener as Listener<Events[Type]>)(event)
      } catch (error) {
        rethrowLater(error)
      }
    }
    return listeners.length > 0
  }
}
