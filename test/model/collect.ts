import type { States } from '../../src/protocol/channel.js'
import type { WhoNowReply } from '../../src/protocol/requests.js'
import { http } from '../support/http.js'
import { RedisView, type Readable, type StoredMember } from '../support/redis-view.js'
import type { Evidence, Told } from './evidence.js'

/** What the cluster itself holds: Redis, and each node's feeds. */
type Held = Pick<Evidence, 'stored' | 'sessions' | 'where' | 'due' | 'feeds'>

/** Reads Redis and asks every node. Rejects when a node does not answer for a channel. */
export async function collect(redis: Readable, ports: readonly number[], channels: readonly string[], users: readonly string[]): Promise<Held> {
  const view = await RedisView.of(redis)
  const stored = new Map<string, ReadonlyMap<string, StoredMember>>()
  for (const channel of channels) stored.set(channel, await view.channel(channel))
  const sessions = new Map<string, readonly string[]>()
  const where = new Map<string, readonly string[]>()
  await Promise.all(
    users.map(async (user) => {
      sessions.set(user, [...(await view.channel(user, 'USER')).keys()])
      where.set(user, await view.where(user))
    }),
  )
  const feeds = await Promise.all(ports.flatMap((port) => channels.map((channel) => ask(port, channel))))
  return { stored, sessions, where, due: await dueOf(redis, view, users), feeds }
}

/** Memberships of these users that wait for a deadline. */
async function dueOf(redis: Readable, view: RedisView, users: readonly string[]): Promise<number> {
  const lists = await Promise.all(view.keys.filter((key) => key.endsWith(':due')).map((key) => redis.command('ZRANGE', key, 0, -1)))
  // The channel's id, the user (in a USER channel, the session) and the session.
  return (lists as string[][]).flat().filter((membership) => users.some((user) => membership.includes(`\0${user}\0`) || membership.startsWith(`dev:USER:${user}\0`))).length
}

async function ask(port: number, channel: string): Promise<Told> {
  const members = new Map<string, States>()
  for (let page: string | null = ''; page !== null; ) {
    const answer = await http(port, `/v1/channels/MESSAGE/${channel}/members?includeState=true${page === '' ? '' : `&page=${encodeURIComponent(page)}`}`)
    if (answer.status !== 200) throw new Error(`node :${port} does not answer for ${channel}: ${answer.status} ${answer.text}`)
    const { occupants, nextPage } = answer.json as WhoNowReply
    for (const { userId, states } of occupants) members.set(userId, states)
    page = nextPage === '' ? null : nextPage
  }
  return { by: `node :${port}`, channel, members }
}
