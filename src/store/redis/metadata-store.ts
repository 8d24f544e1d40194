import type { MetadataBounds, MetadataChange, MetadataOutcome, MetadataStore, StoredMetadata } from '../../presence/metadata.js'
import type { MetadataDetail } from '../../protocol/metadata.js'
import type { RedisAccess } from './access.js'
import { listOf, numberOf, ReplyShapeError, textOf } from './codec.js'
import * as scripts from './scripts.js'

/**
 * For how long the major revision outlives a user's last item, in seconds: a revision is not given out twice then,
 * whatever a clock does meanwhile. Later Redis's clock alone is above it.
 */
const FORGET_S = 86_400

/** Users' metadata on Redis: one hash a user, in the partition of the user's channel, without a lifetime. */
export class RedisMetadata implements MetadataStore {
  constructor(private readonly access: RedisAccess) {}

  async read(app: string, userId: string): Promise<StoredMetadata> {
    const items = new Map(Object.entries(await this.access.call(this.access.redis.hgetall(this.#keyOf(app, userId)))))
    const head = items.get('')
    items.delete('')
    return {
      majorRevision: head === undefined ? 0 : numberOf(head.split(' ')[0], 'metadata'),
      items: new Map([...items].map(([key, stored]) => [key, decodeDetail(stored)])),
    }
  }

  async change(app: string, userId: string, change: MetadataChange, bounds: MetadataBounds): Promise<MetadataOutcome> {
    const { kind, author, majorRevision, items } = change
    const args = [kind, author, String(majorRevision), String(bounds.metadataItems), String(bounds.metadataBytes), String(FORGET_S)]
    for (const { key, revision, value } of items) args.push(key, String(revision), value)
    const script = kind === 'remove' ? scripts.metadataShrinking : scripts.metadataGrowing
    return decodeOutcome(await this.access.run(script, [this.#keyOf(app, userId)], args))
  }

  #keyOf(app: string, userId: string): string {
    return this.access.keysOfUser(app, userId).meta(app, userId)
  }
}

function decodeOutcome(reply: unknown): MetadataOutcome {
  const [outcome, detail] = listOf(reply, 'metadata')
  switch (outcome) {
    case 'done':
      return { outcome, majorRevision: numberOf(detail, 'metadata') }
    case 'outdated':
      return { outcome, key: detail === '' ? null : textOf(detail, 'metadata') }
    case 'missing':
      return { outcome, key: textOf(detail, 'metadata') }
    case 'items':
    case 'bytes':
      return { outcome }
    default:
      throw new ReplyShapeError('metadata', reply)
  }
}

/** `revision updated author NUL value`. */
function decodeDetail(stored: string): MetadataDetail {
  const match = /^(\d+) (\d+) ([^\0]*)\0([\s\S]*)$/.exec(stored)
  if (match === null) throw new ReplyShapeError('metadata', stored)
  return { value: match[4] ?? '', revision: Number(match[1]), updated: Number(match[2]), authorUid: match[3] ?? '' }
}
