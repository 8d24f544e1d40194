import type { Post } from '../presence/post.js'
import type { RosterNotice } from '../protocol/roster.js'
import type { StatusFields, StatusNotice } from '../protocol/statuses-told.js'
import type { Connection } from './connection.js'
import type { Users } from './users.js'

export interface NoticesOptions {
  readonly users: Pick<Users, 'of'>
  /** Sends the same to each of these sockets; encodes it once. */
  readonly tellStatus: (socketIds: readonly string[], notice: StatusNotice) => void
  readonly tellRoster: (socketIds: readonly string[], notice: RosterNotice) => void
  /** Nobody here is told who is gone. A node of another app that shares the Redis may have ended the session, and knows nothing of this. */
  readonly offlineBlock: boolean
  /** Who has more waiting than this is not told: what is not kept anywhere is not kept for who does not read. */
  readonly backlogBytes: number
  readonly metrics: Readonly<Record<'notices' | 'noticesDropped', { inc(labels: { readonly kind: 'status' | 'roster' }, by?: number): void }>>
}

/** Brings statuses that users tell each other, and what happens to their rosters, to the connections here of whom they are for. */
export class Notices {
  constructor(private readonly options: NoticesOptions) {}

  readonly status = (post: Post): void => {
    if (this.options.offlineBlock && isFarewell(post)) return
    const ids = this.#recipients(post, 'status')
    if (ids.length > 0) this.options.tellStatus(ids, statusOf(post))
  }

  readonly roster = (post: Post): void => {
    const ids = this.#recipients(post, 'roster')
    if (ids.length > 0) this.options.tellRoster(ids, rosterOf(post))
  }

  #recipients({ to }: Post, kind: 'status' | 'roster'): readonly string[] {
    const { users, backlogBytes, metrics } = this.options
    const connections = to.flatMap((userId) => [...users.of(userId)])
    const told = connections.filter((connection: Connection) => connection.backlogBytes <= backlogBytes)
    if (told.length > 0) metrics.notices.inc({ kind }, told.length)
    if (told.length < connections.length) metrics.noticesDropped.inc({ kind }, connections.length - told.length)
    return told.map(({ id }) => id)
  }
}

/** From, id, time, `1` or `''`, and the fields as JSON: see `reach.lua`. */
function statusOf({ fields: [from = '', id = '', time, offline, ...json] }: Post): StatusNotice {
  const fields = JSON.parse(json.join('\0')) as StatusFields
  return { from, id, ...(offline === '1' && { offline: true }), ...fields, timestamp: Number(time) }
}

function isFarewell({ fields: [, , , offline] }: Post): boolean {
  return offline === '1'
}

/** Type, from, time and the message, which may contain anything: see `tidings.lua`. */
function rosterOf({ fields: [type, userId = '', time, ...words] }: Post): RosterNotice {
  const message = words.join('\0')
  return { type: type as RosterNotice['type'], userId, ...(message !== '' && { message }), timestamp: Number(time) }
}
