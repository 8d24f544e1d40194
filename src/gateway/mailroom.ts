import type { Logger } from '../log.js'
import { messageOf, type Lack, type Messages, type PostedMessage, type StoredMessage } from '../presence/messages.js'
import type { Post } from '../presence/post.js'
import type { Session } from '../presence/service.js'
import type { Waiting } from '../presence/types.js'
import type { Connection } from './connection.js'
import type { Users } from './users.js'

/** Reads under way at once: when the subscriber was made anew, everybody's inbox is looked at. */
const READS_MAX = 64
/** Bytes of texts that one read fetches. */
const PAGE_BYTES = 262_144
/** How often a client that is too slow is looked at again, and after what pause a read that failed is repeated, in milliseconds. */
const DRAIN_MS = 100
const RETRY_MS = 1_000
/** A client that leaves so many unacknowledged, and has acknowledged none for so many milliseconds, is asked no more: its callbacks would pile up. */
const ASKED_MAX = 4_096
const SILENT_MS = 60_000
/** Times that the store is told of an acknowledgement, and the first pause between two of them, in milliseconds. */
const ACK_ATTEMPTS = 4
const ACK_RETRY_MS = 250
/** Above every position. */
const NONE = Number.MAX_SAFE_INTEGER

/** A connection's place among the messages to its user. */
interface Place {
  /** The life that `after` is of; `''` before the first message or read. */
  life: string
  /** It has had, or does not get, what stands up to here. */
  after: number
  /** What it lacks beyond what nobody has acknowledged; see {@link Lack}. */
  received: Lack['received']
  floor: number
  /** The last position that post told of while the connection was behind. */
  heard: number
  /** Post may have been missed since the last page was asked for. */
  again: boolean
  behind: boolean
  /** Messages that it was asked to acknowledge and has not, and when it last did. */
  asked: number
  answeredAt: number
}

export interface MailroomOptions {
  readonly users: Pick<Users, 'of' | 'all' | 'posted' | 'missed'>
  readonly messages: Pick<Messages, 'partitionOf' | 'read' | 'acknowledge'>
  /** Who has more waiting than this is sent no more until it has drained. */
  readonly backlogBytes: number
  readonly metrics: Readonly<Record<'messagesDelivered' | 'skipped', { inc(by?: number): void }>>
  readonly log: Logger
}

/**
 * Brings messages to the connections of the users whom they are for, in the order of their positions, and each once to a connection.
 *
 * A connection is either in step - it is sent what is posted, as it comes - or behind: something waited when it came, it was too slow, or post
 * may have been missed. Then it is sent nothing that is posted until it has read from the store what it lacks, page by page, in turn with all
 * others who are behind. So nobody waits for somebody else's client.
 */
export class Mailroom {
  /** Only of those who were behind or were sent something: idle connections are what there is most of. */
  readonly #places = new WeakMap<Connection, Place>()
  /** By partition: the last message that post told of. */
  readonly #heard = new Map<number, Pick<PostedMessage, 'life'> & { readonly position: number }>()
  /** Whose next page is to be read, in turn. */
  readonly #due = new Set<Connection>()
  readonly #paused = new Map<number, { readonly who: Set<Connection>; timer: NodeJS.Timeout }>()
  readonly #retries = new Set<NodeJS.Timeout>()
  #reads = 0
  #closed = false

  constructor(private readonly options: MailroomOptions) {}

  /** A connection that may be sent messages from here on. */
  welcome(connection: Connection, waiting: Waiting): void {
    if (!waiting.messages) return
    const { session, received } = connection
    // One that comes back and does not say where it stood gets what nobody has had: the rest it may have had itself.
    const floor = session.resumed && received === null ? NONE : session.since
    this.#fallBehind(connection, newPlace(0, received, floor))
  }

  /** Post: a message to a user. */
  post(post: Post, partition: number): void {
    const [userId = ''] = post.to
    const { life, previous, message } = messageOf(post)
    this.#hear(partition, life, previous, message.position)
    this.options.users.posted(userId, 'messages')
    for (const connection of this.options.users.of(userId)) {
      if (!connection.alive) continue
      const place = this.#placeOf(connection)
      if (place.behind) hearOf(place, message.position)
      else this.#sendLive(connection, place, life, message)
    }
  }

  /** Post may have been missed, of one partition or of all: everybody looks. */
  missed(partition: number | null = null): void {
    const { users, messages } = this.options
    users.missed('messages')
    for (const connection of users.all()) {
      if (partition !== null && messages.partitionOf(connection.userId) !== partition) continue
      const place = this.#placeOf(connection)
      if (place.behind) place.again = true
      else this.#fallBehind(connection, place)
    }
  }

  close(): void {
    this.#closed = true
    this.#due.clear()
    for (const { timer } of this.#paused.values()) clearTimeout(timer)
    for (const timer of this.#retries) clearTimeout(timer)
    this.#paused.clear()
    this.#retries.clear()
  }

  /** While a subscriber is made anew post comes again before anybody says that some was missed: what was missed is to be sent before it. */
  #hear(partition: number, life: string, previous: number, position: number): void {
    const last = this.#heard.get(partition)
    this.#heard.set(partition, { life, position })
    if (last === undefined ? previous > 0 : last.life !== life || last.position !== previous) this.missed(partition)
  }

  #placeOf(connection: Connection): Place {
    const there = this.#places.get(connection)
    if (there !== undefined) return there
    // Nothing waited when its session was opened, so it lacks nothing of what was there then.
    const { since } = connection.session
    const place = newPlace(since, null, since)
    this.#places.set(connection, place)
    return place
  }

  #sendLive(connection: Connection, place: Place, life: string, message: StoredMessage): void {
    const { backlogBytes, metrics } = this.options
    place.life = life
    if (message.position <= place.after) return
    if (connection.backlogBytes > backlogBytes) {
      metrics.skipped.inc()
      this.#fallBehind(connection, place)
      return
    }
    place.after = message.position
    this.#send(connection, place, message)
  }

  /** From now on it is sent what it lacks from the store. */
  #fallBehind(connection: Connection, place: Place): void {
    if (this.#closed) return
    this.#places.set(connection, place)
    place.behind = true
    if (place.after > 0) Object.assign(place, { received: null, floor: place.after })
    this.#due.add(connection)
    this.#pump()
  }

  #pump(): void {
    for (const connection of this.#due) {
      if (this.#reads >= READS_MAX) return
      this.#due.delete(connection)
      const place = this.#places.get(connection)
      if (place === undefined || !connection.alive) continue
      if (connection.backlogBytes > this.options.backlogBytes) {
        this.#pause(connection, DRAIN_MS)
        continue
      }
      this.#reads += 1
      void this.#readPage(connection, place).finally(() => {
        this.#reads -= 1
        this.#pump()
      })
    }
  }

  /** Never rejects. */
  async #readPage(connection: Connection, place: Place): Promise<void> {
    const { messages, log } = this.options
    place.again = false
    try {
      const page = await messages.read(connection.userId, place, PAGE_BYTES)
      if (!connection.alive || this.#closed) return
      if (place.life !== '' && place.life !== page.life) {
        // What it was asked by is of a life that has ended.
        Object.assign(place, { life: page.life, after: 0, received: null, floor: connection.session.since })
        this.#due.add(connection)
        return
      }
      place.life = page.life
      for (const message of page.messages) this.#send(connection, place, message)
      place.after = Math.max(place.after, page.more ? (page.messages.at(-1)?.position ?? 0) : page.last)
      place.behind = page.more || place.again || place.heard > page.last
      if (place.behind) this.#due.add(connection)
    } catch (error) {
      log.debug({ err: error, userId: connection.userId }, 'messages could not be read')
      this.#pause(connection, RETRY_MS)
    }
  }

  #pause(connection: Connection, ms: number): void {
    if (this.#closed) return
    const there = this.#paused.get(ms)
    if (there !== undefined) {
      there.who.add(connection)
      return
    }
    const who = new Set([connection])
    const timer = setTimeout(() => {
      this.#paused.delete(ms)
      for (const one of who) this.#due.add(one)
      this.#pump()
    }, ms)
    this.#paused.set(ms, { who, timer })
  }

  #send({ socket, session }: Connection, place: Place, message: StoredMessage): void {
    const { id, from, text, position, timestamp } = message
    const event = { id, from, text, offline: position <= session.since, timestamp, life: place.life, position }
    this.options.metrics.messagesDelivered.inc()
    if (place.asked >= ASKED_MAX && performance.now() - place.answeredAt > SILENT_MS) {
      socket.emit('message', event)
      return
    }
    place.asked += 1
    socket.emit('message', event, () => {
      place.asked -= 1
      place.answeredAt = performance.now()
      this.#acknowledge(session, message, ACK_ATTEMPTS, ACK_RETRY_MS)
    })
  }

  /** To say it twice does no harm. */
  #acknowledge(session: Session, message: StoredMessage, attempts: number, pauseMs: number): void {
    const { messages, log } = this.options
    messages.acknowledge(session, message).catch((error: unknown) => {
      if (this.#closed) return
      if (attempts <= 1) {
        log.warn({ err: error }, 'an acknowledgement of a message could not be written')
        return
      }
      const timer = setTimeout(
        () => {
          this.#retries.delete(timer)
          this.#acknowledge(session, message, attempts - 1, pauseMs * 3)
        },
        pauseMs * (0.5 + Math.random()),
      )
      this.#retries.add(timer)
    })
  }
}

function newPlace(after: number, received: Lack['received'], floor: number): Place {
  return { life: '', after, received, floor, heard: 0, again: false, behind: false, asked: 0, answeredAt: performance.now() }
}

/** Post while it is behind: the next page has it, and whoever acknowledges it, this connection was there. */
function hearOf(place: Place, position: number): void {
  place.heard = Math.max(place.heard, position)
  place.floor = Math.min(place.floor, position - 1)
}
