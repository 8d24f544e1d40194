import { RollcallError } from '../protocol/errors.js'
import { isPresenceTimeout } from '../protocol/limits.js'
import { during } from './failures.js'

const TRANSPORTS = ['polling', 'websocket', 'webtransport'] as const

export interface ClientOptions {
  /**
   * Where the nodes are: one address, or several to be tried in turn. A path is where the nodes are mounted behind a
   * proxy (`https://host/rollcall`).
   *
   * @default the page's origin in a browser, else `http://127.0.0.1:3000`
   */
  readonly url?: string | readonly string[]
  /** The token of logins that bring none of their own. Without `getToken` a session ends (FAILED) with its token, unless that is renewed in time. */
  readonly token?: string
  /** Asked for a token at login, when the present one is about to expire, and at every reconnect. */
  readonly getToken?: () => Promise<string>
  /**
   * Milliseconds, 1,000 to 300,000, for which the cluster keeps this client's places after its connection was lost.
   *
   * @default the node's (`ROLLCALL_PRESENCE_TIMEOUT_MS`)
   */
  readonly presenceTimeout?: number
  /** Socket.IO transports in the order of trying. @default ['polling', 'websocket'] */
  readonly transports?: readonly (typeof TRANSPORTS)[number][]
}

/** One address, as Socket.IO wants it. */
export interface Address {
  readonly origin: string
  readonly path: string
}

/** Options that have been looked at: what is absent stays absent. */
export interface CheckedOptions extends Omit<ClientOptions, 'url'> {
  readonly addresses: readonly [Address, ...Address[]]
}

/** Throws PRESENCE_INVALID_ARGUMENT for an address, a presenceTimeout, a getToken or transports that cannot be such. */
export function checkOptions(options: ClientOptions): CheckedOptions {
  const { url = defaultUrl(), token, getToken, presenceTimeout, transports } = during('create', () => optionsOf(options))
  const [first, ...others] = (typeof url === 'string' ? [url] : url).map(addressOf)
  if (first === undefined) throw invalid('url is an empty list')
  if (presenceTimeout !== undefined && !isPresenceTimeout(presenceTimeout)) {
    throw invalid('presenceTimeout is a whole number of milliseconds, 1,000 to 300,000')
  }
  if (getToken !== undefined && typeof getToken !== 'function') throw invalid('getToken is a function')
  if (transports !== undefined && !(Array.isArray(transports) && transports.length > 0 && transports.every((name: unknown) => TRANSPORTS.some((known) => known === name)))) {
    throw invalid(`transports is a list of some of ${TRANSPORTS.join(', ')}`)
  }
  return {
    addresses: [first, ...others],
    ...(token !== undefined && { token }),
    ...(getToken !== undefined && { getToken }),
    ...(presenceTimeout !== undefined && { presenceTimeout }),
    ...(transports !== undefined && { transports }),
  }
}

function defaultUrl(): string {
  const { location } = globalThis as { location?: { readonly origin: string } }
  return location !== undefined && /^https?:/.test(location.origin) ? location.origin : 'http://127.0.0.1:3000'
}

function addressOf(url: unknown): Address {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : null
  if (parsed === null || !/^(https?|wss?):$/.test(parsed.protocol)) throw invalid(`url is an http or https address, or a list of them: ${String(url)}`)
  // Socket.IO would take a path in the address for the name of a namespace.
  return { origin: `${parsed.protocol}//${parsed.host}`, path: `${parsed.pathname.replace(/\/+$/, '')}/socket.io` }
}

/** Options of a call, as callers without types may give them; a list is no options, whatever it lists. Throws PRESENCE_INVALID_ARGUMENT. */
export function optionsOf<T extends object>(options: T): T {
  if (typeof options !== 'object' || (options as T | null) === null || Array.isArray(options)) throw new RollcallError('PRESENCE_INVALID_ARGUMENT', 'options are an object')
  return options
}

function invalid(reason: string): RollcallError {
  return new RollcallError('PRESENCE_INVALID_ARGUMENT', reason, 'create')
}
