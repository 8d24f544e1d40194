import { chunksOf } from '../protocol/chunks.js'
import type { UserStatus } from './status.js'
import type { PresenceStore } from './store.js'
import { userChannel } from './types.js'

/** Users whose status one call reads: so many keep a script short enough for others to wait behind it. */
export const STATUS_CHUNK = 1_000

/** Users in the partitions that their statuses are in, each list in the order of the users. */
export function byPartition(store: Pick<PresenceStore, 'partitionOf'>, app: string, userIds: Iterable<string>): ReadonlyMap<number, string[]> {
  const parts = new Map<number, string[]>()
  for (const userId of userIds) {
    const partition = store.partitionOf(userChannel(app, userId))
    const there = parts.get(partition)
    if (there === undefined) parts.set(partition, [userId])
    else there.push(userId)
  }
  return parts
}

/** Asks something about users: one call a partition for up to {@link STATUS_CHUNK} of its users, all at once. Rejects as the first that does. */
export function askByPartition<R>(
  store: Pick<PresenceStore, 'partitionOf'>,
  app: string,
  userIds: Iterable<string>,
  ask: (partition: number, some: readonly string[]) => Promise<R>,
): Promise<readonly R[]> {
  return Promise.all([...byPartition(store, app, userIds)].flatMap(([partition, users]) => [...chunksOf(users, STATUS_CHUNK)].map((some) => ask(partition, some))))
}

/** The status of each user, in order, from Redis: one call a partition for up to {@link STATUS_CHUNK} of its users (`003.5`). Rejects as the store does. */
export async function statusesOf(store: Pick<PresenceStore, 'partitionOf' | 'statuses'>, app: string, userIds: readonly string[]): Promise<readonly UserStatus[]> {
  const found = new Map<string, UserStatus>()
  await askByPartition(store, app, new Set(userIds), async (partition, some) => {
    const { rows } = await store.statuses(partition, app, some)
    some.forEach((userId, i) => found.set(userId, rows[i] ?? UNKNOWN))
  })
  return userIds.map((userId) => found.get(userId) ?? UNKNOWN)
}

const UNKNOWN: UserStatus = { status: 'OFFLINE', lastSeen: null }
