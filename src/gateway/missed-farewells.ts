import type { Logger } from '../log.js'
import type { Post, PostGap, PostOffice } from '../presence/post.js'
import type { Presence } from '../presence/service.js'
import { persist } from './persist.js'

export interface MissedFarewellsOptions {
  readonly office: Pick<PostOffice, 'farewells'>
  readonly presence: Pick<Presence, 'app' | 'statuses'>
  /** Post as it would have come. */
  readonly tell: (post: Post) => void
  readonly log: Logger
}

/**
 * Tells friends here who is gone when the post that said so was missed (`001.7`): nothing else would ever say it. Who is back by now is not
 * told of: what such a user has said of itself since may have been heard already.
 */
export class MissedFarewells {
  readonly #closed = new AbortController()

  constructor(private readonly options: MissedFarewellsOptions) {}

  /** Never rejects. */
  async catchUp(gap: PostGap): Promise<void> {
    const { signal } = this.#closed
    try {
      await persist(() => this.#tell(gap), { signal })
    } catch (error) {
      if (!signal.aborted) this.options.log.warn({ err: error }, 'friends could not be told who is gone')
    }
  }

  async #tell(gap: PostGap): Promise<void> {
    const { office, presence, tell } = this.options
    const missed = (await office.farewells(gap)).filter(({ app }) => app === presence.app)
    if (missed.length === 0) return
    const statuses = await presence.statuses(missed.map(senderOf))
    if (this.#closed.signal.aborted) return
    missed.forEach((post, index) => {
      if (statuses[index]?.status === 'OFFLINE') tell(post)
    })
  }

  close(): void {
    this.#closed.abort()
  }
}

function senderOf({ fields: [from = ''] }: Post): string {
  return from
}
