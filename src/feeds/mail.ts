import type { Post, PostGap, PostKind, PostOffice } from '../presence/post.js'
import { userChannel } from '../presence/types.js'

/** Told of post in the order of the store. Calls are synchronous and must not throw. */
export type PostListener = (post: Post) => void
/** Told when post may have been missed, and for whom, and which items where that is known: before it is told of what was posted later. */
export type MissedListener = (concerns: (userId: string) => boolean, gap: PostGap | null) => void

/**
 * The node's ear for what is addressed to users: one subscription a partition, whoever is logged in here. What is missed is lost here; that
 * some was missed it notices by the numbers of the next post or of heartbeats, and who keeps what must not be lost (messages, invitations)
 * reads it again.
 */
export class Mail {
  readonly #listeners = new Map<string, PostListener>()
  readonly #missed: MissedListener[] = []
  readonly #lines: readonly Line[]
  #unsubscribe: (() => void)[] = []

  constructor(
    private readonly office: PostOffice,
    private readonly app: string,
    private readonly metrics: { readonly gaps: { inc(): void } },
  ) {
    this.#lines = Array.from({ length: office.partitions }, () => new Line())
    office.onSubscriberReset(() => this.#miss(() => true, null))
  }

  /** One listener a kind. */
  on(kind: PostKind, listener: PostListener): void {
    this.#listeners.set(kind, listener)
  }

  onMissed(listener: MissedListener): void {
    this.#missed.push(listener)
  }

  /** Resolves when nothing that is posted from now on is missed unnoticed. */
  async start(): Promise<void> {
    this.#unsubscribe = await Promise.all(this.#lines.map((line, partition) => this.office.subscribePost(partition, (post) => this.#receive(post, line, partition))))
  }

  /** A heartbeat names the number of a partition's last post. */
  beat(partition: number, number: number): void {
    this.#note(partition, this.#lines[partition]?.beat(number))
  }

  /** A partition's data began another life: its numbers may too. */
  rebase(partition: number): void {
    this.#lines[partition]?.forget()
    this.#missIn(partition, null)
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe()
    this.#listeners.clear()
    this.#missed.length = 0
  }

  #receive(post: Post, line: Line, partition: number): void {
    this.#note(partition, line.hear(post.number))
    // Several apps may share a Redis.
    if (post.app === this.app) this.#listeners.get(post.kind)?.(post)
  }

  #note(partition: number, span: Span | null = null): void {
    if (span === null) return
    this.metrics.gaps.inc()
    this.#missIn(partition, { partition, ...span })
  }

  #missIn(partition: number, gap: PostGap | null): void {
    this.#miss((userId) => this.office.partitionOf(userChannel(this.app, userId)) === partition, gap)
  }

  #miss(...missed: Parameters<MissedListener>): void {
    for (const listener of this.#missed) listener(...missed)
  }
}

type Span = Omit<PostGap, 'partition'>

/** How far a partition's post has been heard. Both methods answer what was missed: numbers that fall say that some was, and not what. */
class Line {
  #heard: number | null = null
  /** What the last heartbeat named: it may have been on its way then, and has come by the next one. */
  #named = 0

  hear(number: number): Span | null {
    const after = this.#heard ?? number - 1
    this.#heard = number
    return number === after + 1 ? null : { after, upTo: number - 1 }
  }

  beat(number: number): Span | null {
    const after = (this.#heard ??= number)
    const upTo = this.#named
    this.#named = number
    if (upTo <= after) return null
    this.#heard = upTo
    return { after, upTo }
  }

  forget(): void {
    this.#heard = null
    this.#named = 0
  }
}
