import type { Logger } from '../log.js'
import { messageOf, type Lack, type Messages, type StoredMessage } from '../presence/messages.js'
import type { Post } from '../presence/post.js'
import type { Session } from '../presence/service.js'
import type { Waiting } from '../presence/types.js'
import type { Connection } from './connection.js'
import type { Users } from './users.js'

/** Reads of one partition that are under way at once. A partition that does not answer keeps none of the others waiting. */
const READS_MAX = 8
/** Bytes of texts that one read fetches. */
const PAGE_BYTES = 262_144
/** How often a client that is too slow is looked at again, and after what pause a read that failed is repeated, in milliseconds. */
const DRAIN_MS = 100
const RETRY_MS = 1_000
/** A client that leaves so many unacknowledged is asked no more until it has acknowledged some: its callbacks would pile up. */
const ASKED_MAX = 4_096
/** Times that the store is told of an acknowledgement, and the first pause between two of them, in milliseconds. */
const ACK_ATTEMPTS = 6
const ACK_RETRY_MS = 250
/** Above every position. */
const NONE = Number.MAX_SAFE_INTEGER

/** A connection's place among the messages to its user. */
interface Place {
  /** Of its user. */
  readonly partition: number
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
  /** Messages that it was asked to acknowledge and has not. */
  asked: number
}

/** A connection that may have missed something; it counts as behind until that is known. */
interface Unsure {
  readonly connection: Connection
  readonly place: Place
  /** Its place as it was before. */
  readonly heard: number
  readonly isNew: boolean
}

export interface MailroomOptions {
  readonly users: Pick<Users, 'of' | 'all' | 'posted' | 'missed'>
  readonly messages: Pick<Messages, 'partitionOf' | 'holding' | 'read' | 'acknowledge'>
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
  /** By partition: whose next page is to be read, in turn, and how many are being read. */
  readonly #lines = new Map<number, { readonly due: Set<Connection>; reads: number }>()
  readonly #paused = new Map<number, { readonly who: Set<Connection>; timer: NodeJS.Timeout }>()
  readonly #retries = new Set<NodeJS.Timeout>()
  #closed = false

  constructor(private readonly options: MailroomOptions) {}

  /** A connection that may be sent messages from here on. */
  welcome(connection: Connection, waiting: Waiting): void {
    if (!waiting.messages) return
    const { session, received } = connection
    // One that comes back and does not say where it stood gets what nobody has had: the rest it may have had itself.
    const floor = session.resumed && received === null ? NONE : session.since
    this.#fallBehind(connection, this.#newPlace(connection, 0, received, floor))
  }

  /** Post: a message to a user. */
  post(post: Post): void {
    const [userId = ''] = post.to
    const { life, message } = messageOf(post)
    this.options.users.posted(userId, 'messages')
    for (const connection of this.options.users.of(userId)) {
      if (!connection.alive) continue
      const place = this.#placeOf(connection)
      if (place.behind) hearOf(place, message.position)
      else this.#sendLive(connection, place, life, message)
    }
  }

  /** Post may have been missed: whoever it concerns looks. */
  missed(concerns: (userId: string) => boolean): void {
    const { users } = this.options
    users.missed('messages', concerns)
    const unsure = new Map<number, Unsure[]>()
    for (const connection of users.all()) {
      if (!concerns(connection.userId)) continue
      const isNew = !this.#places.has(connection)
      const place = this.#placeOf(connection)
      if (place.behind) place.again = true
      else {
        Object.assign(place, { behind: true, again: false })
        const one = { connection, place, heard: place.heard, isNew }
        const others = unsure.get(place.partition)
        if (others === undefined) unsure.set(place.partition, [one])
        else others.push(one)
      }
    }
    for (const some of unsure.values()) void this.#look(some)
  }

  close(): void {
    this.#closed = true
    this.#lines.clear()
    for (const { timer } of this.#paused.values()) clearTimeout(timer)
    for (const timer of this.#retries) clearTimeout(timer)
    this.#paused.clear()
    this.#retries.clear()
  }

  #newPlace({ userId }: Connection, after: number, received: Lack['received'], floor: number): Place {
    return { partition: this.options.messages.partitionOf(userId), life: '', after, received, floor, heard: 0, again: false, behind: false, asked: 0 }
  }

  #placeOf(connection: Connection): Place {
    const there = this.#places.get(connection)
    if (there !== undefined) return there
    // Nothing waited when its session was opened, so it lacks nothing of what was there then.
    const { since } = connection.session
    const place = this.#newPlace(connection, since, null, since)
    this.#places.set(connection, place)
    return place
  }

  #sendLive(connection: Connection, place: Place, life: string, message: StoredMessage): void {
    const { backlogBytes, metrics } = this.options
    if (place.life !== life) place.life = own(life)
    if (message.position <= place.after) return
    if (connection.backlogBytes > backlogBytes) {
      metrics.skipped.inc()
      this.#fallBehind(connection, place)
      return
    }
    place.after = message.position
    this.#send(connection, place, message)
  }

  /** Of one partition. Most have missed nothing, for nothing is kept for them; to ask for all of them takes some calls, to read each inbox one for each. */
  async #look(unsure: readonly Unsure[]): Promise<void> {
    const { messages, log } = this.options
    let holding: ReadonlySet<string>
    try {
      holding = await messages.holding(new Set(unsure.map(({ connection }) => connection.userId)))
    } catch (error) {
      log.debug({ err: error }, 'whether messages were missed could not be seen')
      this.#later(RETRY_MS, () => void this.#look(unsure))
      return
    }
    if (this.#closed) return
    for (const { connection, place, heard, isNew } of unsure) {
      if (!connection.alive) continue
      if (holding.has(connection.userId) || place.again || place.heard !== heard) this.#fallBehind(connection, place)
      else if (isNew) this.#places.delete(connection)
      else place.behind = false
    }
  }

  #later(ms: number, work: () => void): void {
    if (this.#closed) return
    const timer = setTimeout(() => {
      this.#retries.delete(timer)
      work()
    }, ms * (0.5 + Math.random()))
    this.#retries.add(timer)
  }

  /** From now on it is sent what it lacks from the store. */
  #fallBehind(connection: Connection, place: Place): void {
    if (this.#closed) return
    this.#places.set(connection, place)
    place.behind = true
    if (place.after > 0) Object.assign(place, { received: null, floor: place.after })
    this.#want(connection, place)
  }

  #want(connection: Connection, place: Place): void {
    const line = this.#lines.get(place.partition)
    if (line === undefined) this.#lines.set(place.partition, { due: new Set([connection]), reads: 0 })
    else line.due.add(connection)
    this.#pump(place.partition)
  }

  #pump(partition: number): void {
    const line = this.#lines.get(partition)
    for (const connection of line?.due ?? []) {
      if (line === undefined || line.reads >= READS_MAX) return
      line.due.delete(connection)
      const place = this.#places.get(connection)
      if (place === undefined || !connection.alive) continue
      if (connection.backlogBytes > this.options.backlogBytes) {
        this.#pause(connection, DRAIN_MS)
        continue
      }
      line.reads += 1
      void this.#readPage(connection, place).finally(() => {
        line.reads -= 1
        this.#pump(partition)
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
        this.#want(connection, place)
        return
      }
      place.life = page.life
      for (const message of page.messages) this.#send(connection, place, message)
      place.after = Math.max(place.after, page.more ? (page.messages.at(-1)?.position ?? 0) : page.last)
      place.behind = page.more || place.again || place.heard > page.last
      if (place.behind) this.#want(connection, place)
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
      for (const one of who) {
        const place = this.#places.get(one)
        if (place !== undefined) this.#want(one, place)
      }
    }, ms)
    this.#paused.set(ms, { who, timer })
  }

  #send({ socket, session }: Connection, place: Place, { id, from, text, position, timestamp }: StoredMessage): void {
    const event = { id, from, text, offline: position <= session.since, timestamp, life: place.life, position }
    this.options.metrics.messagesDelivered.inc()
    if (place.asked >= ASKED_MAX) {
      socket.emit('message', event)
      return
    }
    place.asked += 1
    // What is kept until it is acknowledged is the id alone.
    const acknowledged = own(id)
    socket.emit('message', event, () => {
      place.asked -= 1
      this.#acknowledge(session, acknowledged, ACK_ATTEMPTS, ACK_RETRY_MS)
    })
  }

  /** To say it twice does no harm. */
  #acknowledge(session: Session, messageId: string, attempts: number, pauseMs: number): void {
    const { messages, log } = this.options
    messages.acknowledge(session, messageId).catch((error: unknown) => {
      if (this.#closed) return
      if (attempts <= 1) {
        log.warn({ err: error }, 'an acknowledgement of a message could not be written')
        return
      }
      this.#later(pauseMs, () => this.#acknowledge(session, messageId, attempts - 1, pauseMs * 3))
    })
  }
}

/** Post while it is behind: the next page has it, and whoever acknowledges it, this connection was there. */
function hearOf(place: Place, position: number): void {
  place.heard = Math.max(place.heard, position)
  if (position - 1 >= place.floor) return
  place.floor = position - 1
  // What is being read was asked for without it.
  place.again = true
}

/** A copy of its own: what was cut out of a longer text keeps all of that in memory. */
function own(text: string): string {
  return Buffer.from(text).toString()
}
