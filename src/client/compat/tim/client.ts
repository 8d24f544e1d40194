import { ERRORS, RollcallError } from '../../../protocol/errors.js'
import { codeOf } from '../../connection.js'
import { rethrowLater } from '../../emitter.js'
import { RollcallClient, type RosterNotice, type StatusFields, type StatusNotice } from '../../index.js'
import { failure } from './errors.js'
import { presenceOf, messageOf } from './events.js'
import { base64 } from './base64.js'
import { NODE_LISTS, TIM_TYPES, type Extra, type TimAck, type TimMessage, type TimNodes } from './types.js'

export interface TimClientOptions {
  /** Where the nodes are: one address, or several to be tried in turn. */
  readonly url?: string | readonly string[]
  readonly appId: string
  readonly userId: string
  readonly token?: string
  /** Milliseconds for which the account counts as online after a connection was lost. @default the node's */
  readonly presenceTimeout?: number
}

/** Is handed one JSON text a call. */
export type Handler = (json: string) => void

/**
 * A client in the shape of TIM's (`001`), on the SDK. Handlers are plain properties, set at any time.
 *
 * Calls resolve with what became of them when the server has them. A refusal is told to `ackHandler` as well; a success is not.
 * None has to be awaited: `login` alone rejects, for without a session there is nothing to be done.
 */
export class TimClient {
  presenceHandler: Handler | null = null
  ackHandler: Handler | null = null
  messageHandler: Handler | null = null
  /** Hears what {@link Roster} and {@link BlockRosterList} found. */
  nodesHandler: Handler | null = null
  readonly #client: RollcallClient
  /** Of whom this login has been told that they ask for a friendship. */
  readonly #asking = new Set<string>()

  constructor({ appId, userId, ...options }: TimClientOptions) {
    this.#client = new RollcallClient(appId, userId, options)
    this.#client.on('status', (notice: StatusNotice) => this.presenceHandler?.(JSON.stringify(presenceOf(notice))))
    this.#client.on('roster', (notice: RosterNotice) => {
      if (notice.type === 'REQUEST') this.#asking.add(notice.userId)
      else this.#asking.delete(notice.userId)
      this.messageHandler?.(JSON.stringify(messageOf(notice)))
    })
    this.#client.on('linkState', ({ currentState, operation, reason, reasonCode = ERRORS.NOT_LOGIN.errorCode }) => {
      // A login that is refused rejects.
      if (currentState === 'FAILED' && operation !== 'LOGIN') this.#tell(failure(TIM_TYPES.logout, new RollcallError(codeOf(reasonCode), reason)))
    })
  }

  /** Rejects with the refusal's {@link TimAck}, which `ackHandler` hears too. */
  login(): Promise<TimAck> {
    this.#asking.clear()
    return quiet(
      this.#client.login().then(
        () => done(TIM_TYPES.auth),
        (error: unknown) => {
          const ack = failure(TIM_TYPES.auth, error)
          this.#tell(ack)
          throw Object.assign(new Error(ack.error?.info, { cause: error }), ack)
        },
      ),
    )
  }

  logout(): Promise<void> {
    return quiet(this.#client.logout())
  }

  /** To every online friend. `subStatus` 1 asks each for an answer. */
  BroadPresence(subStatus: number | null, show?: number | null, status?: string | null): Promise<TimAck> {
    return this.#call(TIM_TYPES.broadPresence, () => this.#client.status.broadcast(fieldsOf({ subStatus, show, status })))
  }

  /** Nobody has to be a friend. An account that is not online gets nothing, now or later. */
  PresenceToUser(to: string, show?: number | null, status?: string | null, subStatus?: number | null, extend?: Readonly<Record<string, string>> | null, extra?: Extra | null): Promise<TimAck> {
    return this.#present([to], { subStatus, show, status, extend, extra })
  }

  PresenceToList(toList: readonly string[], show?: number | null, status?: string | null, subStatus?: number | null, extend?: Readonly<Record<string, string>> | null, extra?: Extra | null): Promise<TimAck> {
    return this.#present(toList, { subStatus, show, status, extend, extra })
  }

  /** The friends. `messageHandler` hears of requests that came while the account was away, each once a login. */
  Roster(): Promise<TimAck & { readonly nodelist: readonly string[] }> {
    return this.#list(NODE_LISTS.roster)
  }

  /** Those whom this account has blocked. */
  BlockRosterList(): Promise<TimAck & { readonly nodelist: readonly string[] }> {
    return this.#list(NODE_LISTS.blocked)
  }

  /** Asks for a friendship, or agrees to one. */
  Addroster(node: string, msg?: string | null): Promise<TimAck> {
    return this.#call(TIM_TYPES.business, () => this.#client.roster.add(node, msg ?? undefined))
  }

  Rmroster(node: string): Promise<TimAck> {
    return this.#call(TIM_TYPES.business, () => this.#client.roster.remove(node))
  }

  Blockroster(node: string): Promise<TimAck> {
    return this.#call(TIM_TYPES.business, () => this.#client.roster.block(node))
  }

  #present(to: readonly string[], given: Given): Promise<TimAck> {
    return this.#call(TIM_TYPES.presence, async () => {
      const { failed } = await this.#client.status.send(to, fieldsOf(given))
      return failed.map((one) => failure(TIM_TYPES.presence, one, one.userId))
    })
  }

  async #list(ntype: TimNodes['ntype']): Promise<TimAck & { readonly nodelist: readonly string[] }> {
    let nodelist: readonly string[] = []
    const ack = await this.#call(TIM_TYPES.business, async () => {
      const { friends, blocked, requests } = await this.#client.roster.list()
      nodelist = ntype === NODE_LISTS.roster ? friends : blocked
      this.#hand('nodesHandler', { ntype, nodelist } satisfies TimNodes)
      for (const { userId, message } of requests) {
        if (this.#asking.has(userId)) continue
        this.#asking.add(userId)
        this.#hand('messageHandler', messageOf({ type: 'REQUEST', userId, message, timestamp: Date.now() }))
      }
    })
    return { ...ack, nodelist }
  }

  /** `call` may answer refusals of its own. Whatever is refused is told, and resolves: nobody has to await what they send. */
  async #call(timType: number, call: () => Promise<unknown>): Promise<TimAck> {
    // What it throws at once is a refusal as well.
    const refusals = await (async () => call())().then(
      (own) => (Array.isArray(own) ? (own as readonly TimAck[]) : []),
      (error: unknown) => [failure(timType, this.#client.linkState === 'FAILED' ? new RollcallError('NOT_LOGIN', 'the session is over') : error)],
    )
    for (const ack of refusals) this.#tell(ack)
    return refusals[0] ?? done(timType)
  }

  #tell(ack: TimAck): void {
    this.#hand('ackHandler', ack)
  }

  /** Told in the middle of a call: a handler that throws must not change what becomes of it. */
  #hand(handler: 'ackHandler' | 'nodesHandler' | 'messageHandler', what: TimAck | TimNodes | TimMessage): void {
    try {
      this[handler]?.(JSON.stringify(what))
    } catch (error) {
      rethrowLater(error)
    }
  }
}

export function createTimClient(options: TimClientOptions): TimClient {
  return new TimClient(options)
}

function done(timType: number): TimAck {
  return { ok: true, timType }
}

/** Whoever awaits it hears of a failure; who does not is spared the process's end for it. */
function quiet<T>(call: Promise<T>): Promise<T> {
  call.catch(() => undefined)
  return call
}

interface Given {
  readonly subStatus?: number | null | undefined
  readonly show?: number | null | undefined
  readonly status?: string | null | undefined
  readonly extend?: Readonly<Record<string, string>> | null | undefined
  readonly extra?: Extra | null | undefined
}

/** What was given; TIM's clients say "nothing" in several ways. */
function fieldsOf({ subStatus, show, status, extend, extra }: Given): StatusFields {
  return {
    ...(subStatus != null && { subStatus }),
    ...(show != null && { show }),
    ...(status != null && { status }),
    ...(extend != null && { extend }),
    ...(extra != null && { extra: base64(extra) }),
  }
}
