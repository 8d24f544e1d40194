/** What a function is called with. */
export interface FunctionRequest {
  /** The body's object, as it came: nothing in it has been checked. */
  readonly params: Readonly<Record<string, unknown>>
  readonly meta: { readonly remoteAddress: string }
}

/** A function that callers name: what it returns, or resolves with, is answered as JSON. */
export type NamedFunction = (request: FunctionRequest) => unknown

/** What a function throws to have it answered as it is. Any other error is answered without its message, which goes to the log. */
export class FunctionError extends Error {
  readonly status: number
  readonly code: number

  constructor(message: string, { status = 400, code = 1 }: { readonly status?: number | undefined; readonly code?: number | undefined } = {}) {
    super(message)
    this.name = 'FunctionError'
    this.status = Number.isInteger(status) && status >= 400 && status <= 599 ? status : 400
    this.code = code
  }
}

type Lookup = (name: string) => NamedFunction | undefined

/** The functions of an application that a node serves by their names (`003.4`, `003.8`). */
export class Functions {
  readonly #own = new Map<string, NamedFunction>()
  readonly #others: Lookup[] = []

  /**
   * Serves a function; one of Rollcall's own with this name is served no more.
   *
   * @throws Error when there is one of this name already
   */
  define(name: string, fn: NamedFunction): void {
    if (this.#own.has(name)) throw new Error(`the function ${name} is already defined`)
    this.#own.set(name, fn)
  }

  /** Serves what is found there, at each call, and is not defined here. */
  include(lookup: Lookup): void {
    this.#others.push(lookup)
  }

  get(name: string): NamedFunction | undefined {
    const own = this.#own.get(name)
    if (own !== undefined) return own
    for (const lookup of this.#others) {
      const found = lookup(name)
      if (found !== undefined) return found
    }
    return undefined
  }
}
