import type { WebhookData } from '../../protocol/webhooks.js'
import { FunctionError, type FunctionRequest, type NamedFunction } from '../../rest/functions.js'

/** Called with what happened; what it returns is not looked at, only whether it rejects. */
export type Hook<Params> = (request: { readonly params: Params }) => unknown

export interface DefineOptions {
  /** Only `AV.Cloud.run` reaches it. @default false */
  readonly internal?: boolean | undefined
}

/** `AV.Cloud`: what an application defines. The shape is that of the package `leanengine`. */
export interface CloudApi {
  /**
   * Serves a function at `POST /1.1/functions/{name}`; `getOnOffStatus` takes the place of Rollcall's own.
   *
   * @throws Error when the name is taken
   */
  define(name: string, fn: NamedFunction): void
  define(name: string, options: DefineOptions, fn: NamedFunction): void
  /** Called when somebody who was not there is there; again, if it rejects. @throws Error when it is registered already */
  onIMClientOnline(hook: Hook<WebhookData['_clientOnline']>): void
  /** Called when somebody's last session has ended, or another login has replaced one; as {@link CloudApi.onIMClientOnline}. */
  onIMClientOffline(hook: Hook<WebhookData['_clientOffline']>): void
  /** Calls a function in this process; rejects when there is none, and as it does. */
  run(name: string, params?: FunctionRequest['params']): Promise<unknown>
  /** Thrown by a function: the message is answered, with `status` (400) and `code` (1). */
  readonly Error: typeof FunctionError
}

/** The name under which a hook is defined, as the original has it: no request can call it. */
const HOOKS = { onIMClientOnline: '_clientOnline', onIMClientOffline: '_clientOffline' } as const

interface Definition {
  readonly fn: NamedFunction
  readonly internal: boolean
}

/** What was defined, and who may call it. */
export class Definitions {
  readonly #byName = new Map<string, Definition>()

  add(name: string, fn: unknown, internal: boolean): void {
    if (typeof name !== 'string' || name === '') throw new TypeError('a function has a name')
    if (typeof fn !== 'function') throw new TypeError(`${name} is defined with a function`)
    if (this.#byName.has(name)) throw new Error(`${name} already defined`)
    this.#byName.set(name, { fn: fn as NamedFunction, internal })
  }

  get(name: string): NamedFunction | undefined {
    return this.#byName.get(name)?.fn
  }

  /** What is called when such an event happens: nothing that only has its type for a name. */
  hook(type: string): NamedFunction | undefined {
    return isHook(type) ? this.get(type) : undefined
  }

  /** What callers from outside may reach. */
  served(name: string): NamedFunction | undefined {
    const found = this.#byName.get(name)
    return found === undefined || found.internal || isHook(name) ? undefined : found.fn
  }
}

function isHook(name: string): boolean {
  return Object.values<string>(HOOKS).includes(name)
}

export function createCloud(definitions: Definitions): CloudApi {
  return {
    define(name: string, ...rest: readonly [NamedFunction] | readonly [DefineOptions, NamedFunction]) {
      const [options, fn] = rest.length === 1 ? [undefined, rest[0]] : rest
      definitions.add(name, fn, options?.internal === true)
    },
    onIMClientOnline: (hook) => definitions.add(HOOKS.onIMClientOnline, hook, true),
    onIMClientOffline: (hook) => definitions.add(HOOKS.onIMClientOffline, hook, true),
    async run(name, params = {}) {
      const fn = definitions.get(name)
      if (fn === undefined) throw new FunctionError(`No such cloud function '${name}'`, { status: 404 })
      return fn({ params, meta: { remoteAddress: '' } })
    },
    Error: FunctionError,
  }
}
