import type { Post, PostKind, PostOffice } from '../presence/post.js'

/** Told of post in the order of the store. Calls are synchronous and must not throw. */
export type PostListener = (post: Post, partition: number) => void

/**
 * The node's ear for what is addressed to users: one subscription a partition, whoever is logged in here. What is missed while a
 * connection is made anew is lost here; who keeps what must not be lost (messages, invitations) reads it again.
 */
export class Mail {
  readonly #listeners = new Map<PostKind, PostListener>()
  readonly #missed: (() => void)[] = []
  #unsubscribe: (() => void)[] = []

  constructor(
    private readonly office: PostOffice,
    private readonly app: string,
  ) {
    office.onSubscriberReset(() => {
      for (const missed of this.#missed) missed()
    })
  }

  /** One listener a kind. */
  on(kind: PostKind, listener: PostListener): void {
    this.#listeners.set(kind, listener)
  }

  /** Called when post may have been missed. */
  onMissed(listener: () => void): void {
    this.#missed.push(listener)
  }

  /** Resolves when nothing that is posted from now on is missed. */
  async start(): Promise<void> {
    const partitions = Array.from({ length: this.office.partitions }, (_, partition) => partition)
    this.#unsubscribe = await Promise.all(partitions.map((partition) => this.office.subscribePost(partition, (post) => this.#receive(post, partition))))
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe()
    this.#listeners.clear()
  }

  #receive(post: Post, partition: number): void {
    // Several apps may share a Redis.
    if (post.app === this.app) this.#listeners.get(post.kind)?.(post, partition)
  }
}
