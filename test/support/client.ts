import { RollcallClient, type LinkState, type LinkStateEvent } from '../../src/client/index.js'
import type { ChannelType, States } from '../../src/protocol/channel.js'
import { EventLog } from './event-log.js'
import type { NodeAddress } from './node.js'
import type { Scope } from './scope.js'
import { Bell, PATIENCE_MS, within } from './wait.js'
import { expectSnapshot, type Marker, type Watcher } from './watcher.js'

export type ClientOptions = Partial<ConstructorParameters<typeof RollcallClient>[2]>
type Where = { readonly url: string } | readonly { readonly url: string }[]

/** Closing a client on purpose is answered at once or not at all. */
const GOODBYE_MS = 10_000

/** An SDK client that is not logged in yet; logged out with the scope. */
export function createClient(scope: Scope, user: string, where: Where, options: ClientOptions = {}): RollcallClient {
  const addresses = (Array.isArray(where) ? where : [where]) as readonly NodeAddress[]
  const client = new RollcallClient('dev', user, { url: addresses.map(({ url }) => url), ...options })
  // Whoever has logged out already is refused, and that is fine; whoever never gets an answer is not.
  scope.defer(`the client of ${user}`, () => within(client.logout().catch(() => undefined), GOODBYE_MS, `${user} is logged out`))
  return client
}

/** A logged-in SDK client. */
export async function connect(scope: Scope, user: string, where: Where, options: ClientOptions = {}): Promise<RollcallClient> {
  const client = createClient(scope, user, where, options)
  await within(client.login(), 10_000, `${user} logs in`)
  return client
}

/** Keeps what a client is told about a channel. Ask for it before the call whose events matter. */
export function listen(client: RollcallClient, channel: string, name: string, channelType: ChannelType = 'MESSAGE'): Watcher {
  const log = new EventLog(name)
  client.addEventListener('presence', (event) => {
    if (event.channelName === channel && event.channelType === channelType) log.add([event])
  })
  return { name, channel, log }
}

/** A client that subscribes with presence and has its first SNAPSHOT: from now on every event is news. */
export async function watch(client: RollcallClient, channel: string, options: { beQuiet?: boolean; channelType?: ChannelType; name?: string } = {}): Promise<Watcher> {
  const { name = 'the watcher', channelType = 'MESSAGE', ...rest } = options
  const watcher = listen(client, channel, name, channelType)
  await client.subscribe(channel, { withPresence: true, channelType, ...rest })
  await expectSnapshot(watcher)
  return watcher
}

/** The link states that a client goes through from now on. */
export class LinkLog {
  readonly seen: LinkStateEvent[] = []
  readonly #bell = new Bell()
  #read = 0

  constructor(
    readonly name: string,
    client: RollcallClient,
  ) {
    client.addEventListener('linkState', (event) => {
      this.seen.push(event)
      this.#bell.ring()
    })
  }

  /** The next time that the link is in this state, after those that were awaited before. */
  async until(state: LinkState, ms = PATIENCE_MS): Promise<LinkStateEvent> {
    const find = () => {
      const index = this.seen.findIndex((event, at) => at >= this.#read && event.currentState === state)
      if (index < 0) return undefined
      this.#read = index + 1
      return this.seen[index]
    }
    return this.#bell.until(find, ms, () => `the link of ${this.name} is ${state}; it was ${this.seen.map((event) => event.currentState).join(', ')}`)
  }
}

let marks = 0

/** A member of its own for {@link expectNoEvents}. Let it join before those that are not to see it come. */
export async function joinMarker(scope: Scope, where: Where, channel: string, channelType: ChannelType = 'MESSAGE'): Promise<Marker> {
  const userId = `marker-${++marks}`
  const client = await connect(scope, userId, where)
  await client.subscribe(channel, { withPresence: false, channelType })
  return {
    userId,
    mark: async () => {
      const mark = String(++marks)
      await client.presence.setState(channel, channelType, { mark })
      return mark
    },
  }
}

/** The states of somebody as a client reads them, as a plain map. */
export async function statesOf(client: RollcallClient, user: string, channel: string, channelType: ChannelType = 'MESSAGE'): Promise<States> {
  const { states } = await client.presence.getState(user, channel, channelType)
  return { ...states }
}

let channels = 0

/** A channel name that no other test uses. */
export function uniqueChannel(prefix = 'channel'): string {
  return `${prefix}-${++channels}-${process.pid}`
}
