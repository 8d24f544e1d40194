import type { Arena } from '../arena.js'
import { inParallel } from '../lib/wait.js'
import { RollcallClient } from '../peers/rollcall.js'
import type { ServerNode } from '../lib/server-node.js'

export interface Load {
  readonly from: number
  readonly to: number
  readonly channels: number
  /** Of each session. */
  readonly channelsEach: number
  readonly states?: Readonly<Record<string, string>>
  readonly withPresence: boolean
  readonly auth?: Readonly<Record<string, unknown>>
  /** @default in turn */
  readonly node?: ServerNode
}

/** The channels that a user is in: neighbours, so that all are filled alike. */
export function channelsOf(user: number, { channels, channelsEach }: Pick<Load, 'channels' | 'channelsEach'>): string[] {
  return Array.from({ length: channelsEach }, (_, index) => `channel-${(user * channelsEach + index) % channels}`)
}

export async function connectAll(arena: Arena, load: Load): Promise<RollcallClient[]> {
  const users = Array.from({ length: load.to - load.from }, (_, index) => load.from + index)
  return inParallel(users, 50, (user) => RollcallClient.connect(load.node ?? arena.nodeFor(user), user, load.auth))
}

/** Each client joins all its channels by one request. */
export async function joinAll(clients: readonly RollcallClient[], load: Load): Promise<void> {
  const { states, withPresence, from } = load
  await inParallel(clients, 20, async (client, index) => {
    const channels = channelsOf(from + index, load).map((channelName) => ({ channelName, withPresence, ...(states === undefined ? {} : { states }) }))
    const { channels: results } = await client.ask('resume', { channels })
    const failed = (results as readonly { readonly result: string; readonly error?: unknown }[]).find(({ result }) => result === 'error')
    if (failed !== undefined) throw new Error(JSON.stringify(failed.error))
  })
}
