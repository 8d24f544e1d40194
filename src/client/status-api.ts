import { chunksOf } from '../protocol/chunks.js'
import { RollcallError } from '../protocol/errors.js'
import { parseUserIds } from '../protocol/peers.js'
import { parseBroadcastStatus, type StatusFailure, type StatusFields, type StatusNotice } from '../protocol/statuses-told.js'
import { during } from './failures.js'
import type { Link } from './link.js'
import type { Done } from './presence-api.js'
import { Recent } from './recent.js'

/** Offline notices that are remembered, of each user the last. */
const FAREWELLS_KEPT = 10_000

export interface SendStatusResult extends Done {
  /** Whom it could not be told to, and why: USER_UNKNOWN, USER_BLOCKED. Who is just not there is not among them. */
  readonly failed: readonly StatusFailure[]
}

/**
 * `client.status`: what this user says of itself to others (`001`), as the client's event `status`. It goes to those who are there
 * now and is kept for nobody; the server gives the fields no meaning. `extra` is base64 here and in the event.
 *
 * Everything here rejects with a `RollcallError`: STATUS_INVALID_ARGUMENT, NOT_LOGIN, NOT_CONNECTED, RATE_EXCEEDED,
 * PRESENCE_OPERATION_FAILED, PRESENCE_OPERATION_TIMEOUT (some may have been told), and what each names. Calls that were under way when the
 * connection was lost are sent again, so that somebody may be told twice.
 */
export class StatusApi {
  readonly #link: Link
  readonly #tell: (notice: StatusNotice) => void
  readonly #recent = new Recent()
  /** A node that takes over from one that was killed tells again who is gone: by user, the last that was told. */
  readonly #farewells = new Map<string, string>()

  constructor(link: Link, tell: (notice: StatusNotice) => void) {
    this.#link = link
    this.#tell = tell
  }

  /** To all friends who are there. */
  async broadcast(fields: StatusFields): Promise<Done> {
    const operation = 'broadcastStatus'
    const status = during(operation, () => parseBroadcastStatus(fields, this.#link.limits))
    const { timestamp } = await this.#link.request('broadcastStatus', status, operation)
    return { timestamp }
  }

  /** To one user or several, who need not be friends; a user of this list may be oneself. INVALID_USER_ID, PRESENCE_INVALID_ARGUMENT. */
  async send(to: string | readonly string[], fields: StatusFields): Promise<SendStatusResult> {
    const operation = 'sendStatus'
    const { limits } = this.#link
    const [userIds, status] = during(operation, () => [parseUserIds(typeof to === 'string' ? [to] : to, Infinity, limits), parseBroadcastStatus(fields, limits)] as const)
    if (userIds.length === 0) throw new RollcallError('PRESENCE_INVALID_ARGUMENT', 'there is nobody to be told', operation)
    const failed: StatusFailure[] = []
    let timestamp = 0
    for (const some of chunksOf(userIds, limits.statusRecipients)) {
      const reply = await this.#link.request('sendStatus', { userIds: some, ...status }, operation)
      failed.push(...reply.failed)
      timestamp = reply.timestamp
    }
    return { timestamp, failed }
  }

  /** The event, as it came over a connection. */
  receive(notice: StatusNotice): void {
    const { from, id, offline } = notice
    if (offline === true) {
      if (!isLater(id, this.#farewells.get(from))) return
      // The last one to be set is the last one to be dropped.
      this.#farewells.delete(from)
      this.#farewells.set(from, id)
      const [oldest] = this.#farewells.keys()
      if (this.#farewells.size > FAREWELLS_KEPT && oldest !== undefined) this.#farewells.delete(oldest)
    } else if (!this.#recent.isNew(id)) return
    this.#tell(notice)
  }
}

/** Of one user's goings: ids of later ones are higher numbers. */
function isLater(id: string, last: string | undefined): boolean {
  return last === undefined || (id !== last && !(Number(id) < Number(last)))
}
