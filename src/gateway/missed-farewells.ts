import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../log.js'
import type { Post, PostGap, PostOffice } from '../presence/post.js'
import type { Presence } from '../presence/service.js'

/** How often what failed is tried, and the first pause before it is tried again, in milliseconds, which doubles. */
const TRIES = 6
const RETRY_MS = 200

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
  async catchUp(partition: number, gap: PostGap): Promise<void> {
    const { office, presence, tell, log } = this.options
    for (let left = TRIES, pauseMs = RETRY_MS; ; left -= 1, pauseMs *= 2) {
      try {
        const missed = (await office.farewells(partition, gap)).filter(({ app }) => app === presence.app)
        if (missed.length === 0) return
        const statuses = await presence.statuses(missed.map(senderOf))
        if (this.#closed.signal.aborted) return
        missed.forEach((post, index) => {
          if (statuses[index]?.status === 'OFFLINE') tell(post)
        })
        return
      } catch (error) {
        if (left <= 1) {
          log.warn({ err: error }, 'friends could not be told who is gone')
          return
        }
      }
      try {
        await delay(pauseMs * (0.5 + Math.random() / 2), undefined, { ref: false, signal: this.#closed.signal })
      } catch {
        return
      }
    }
  }

  close(): void {
    this.#closed.abort()
  }
}

function senderOf({ fields: [from = ''] }: Post): string {
  return from
}
