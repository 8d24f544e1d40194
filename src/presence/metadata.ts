import { RollcallError } from '../protocol/errors.js'
import type { Limits } from '../protocol/limits.js'
import type { MetadataDetail } from '../protocol/metadata.js'
import { recordOf } from '../protocol/record.js'
import type { RemoveMetadata, WriteMetadata } from '../protocol/parse.js'
import type { MetadataReply, WriteMetadataReply } from '../protocol/requests.js'
import { settled } from './settled.js'

/** All metadata of one user as the store has it. */
export interface StoredMetadata {
  /** Rises with every change; 0 where nothing was stored yet. */
  readonly majorRevision: number
  readonly items: ReadonlyMap<string, MetadataDetail>
}

/** One change of a user's metadata: carried out whole, or not at all. */
export interface MetadataChange {
  /** `set` makes items or replaces them, `update` only replaces, `remove` takes away those that are named, or all. */
  readonly kind: 'set' | 'update' | 'remove'
  readonly author: string
  /** What it must be: -1 for any, 0 for none yet. The same goes for each item's `revision`. */
  readonly majorRevision: number
  /** No key twice. `value` is `''` with `remove`. */
  readonly items: readonly { readonly key: string; readonly value: string; readonly revision: number }[]
}

/** What became of a change. All but `done` are refusals, and then nothing was changed. */
export type MetadataOutcome =
  | { readonly outcome: 'done'; readonly majorRevision: number }
  /** A revision is another one: the item's, or with `null` the major one. */
  | { readonly outcome: 'outdated'; readonly key: string | null }
  /** An update of an item that is not there. */
  | { readonly outcome: 'missing'; readonly key: string }
  /** It would be more than the bounds allow, and more than is there. */
  | { readonly outcome: 'items' | 'bytes' }

/**
 * What the domain needs of the store for data that lasts: unlike everything in `PresenceStore` it has no lifetime and
 * nobody vouches for it.
 *
 * A change is decided and carried out in one atomic step, and its revision is higher than every earlier one of that user, also
 * after everything was removed. Keys and values are opaque. Calls reject with `UnknownOutcomeError` or `StoreRefusedError`.
 */
export interface MetadataStore {
  read(app: string, userId: string): Promise<StoredMetadata>
  change(app: string, userId: string, change: MetadataChange, bounds: MetadataBounds): Promise<MetadataOutcome>
}

export type MetadataBounds = Pick<Limits, 'metadataItems' | 'metadataBytes'>

/**
 * Users' metadata (`000.18`): survives the user's sessions and every node. Whether somebody may write is for the caller to
 * say. All methods reject with a `RollcallError`: STORAGE_OPERATION_FAILED (not carried out), STORAGE_OPERATION_TIMEOUT
 * (outcome unknown), and what each names.
 */
export class UserMetadata {
  constructor(
    private readonly store: MetadataStore,
    private readonly app: string,
    private readonly bounds: MetadataBounds,
  ) {}

  /** From Redis: what was acknowledged before, on whichever node, is seen. */
  async get(userId: string): Promise<MetadataReply> {
    const { majorRevision, items } = await settled(this.store.read(this.app, userId), 'STORAGE_OPERATION_FAILED', 'STORAGE_OPERATION_FAILED')
    return { userId, totalCount: items.size, majorRevision, metadata: recordOf(items) }
  }

  /** STORAGE_OUTDATED_REVISION, STORAGE_METADATA_ITEM_EXCEED_LIMITATION, STORAGE_METADATA_LENGTH_OVERFLOW. */
  set(author: string, request: WriteMetadata): Promise<WriteMetadataReply> {
    return this.#change(author, request.userId, { ...request, kind: 'set', author })
  }

  /** As {@link set}, and STORAGE_INVALID_METADATA_ITEM for an item that is not there. */
  update(author: string, request: WriteMetadata): Promise<WriteMetadataReply> {
    return this.#change(author, request.userId, { ...request, kind: 'update', author })
  }

  /** What is not there is gone already. STORAGE_OUTDATED_REVISION. */
  remove(author: string, request: RemoveMetadata): Promise<WriteMetadataReply> {
    const items = request.items.map((item) => ({ ...item, value: '' }))
    return this.#change(author, request.userId, { ...request, items, kind: 'remove', author })
  }

  async #change(author: string, whose: string | null, change: MetadataChange): Promise<WriteMetadataReply> {
    const userId = whose ?? author
    const result = await settled(this.store.change(this.app, userId, change, this.bounds), 'STORAGE_OPERATION_FAILED', 'STORAGE_OPERATION_TIMEOUT')
    switch (result.outcome) {
      case 'done':
        return { userId, majorRevision: result.majorRevision }
      case 'outdated':
        throw new RollcallError('STORAGE_OUTDATED_REVISION', `the ${result.key === null ? 'major revision' : `revision of ${JSON.stringify(result.key)}`} is another one`)
      case 'missing':
        throw new RollcallError('STORAGE_INVALID_METADATA_ITEM', `there is no item ${JSON.stringify(result.key)} to update`)
      case 'items':
        throw new RollcallError('STORAGE_METADATA_ITEM_EXCEED_LIMITATION', `a user's metadata has at most ${this.bounds.metadataItems} items`)
      case 'bytes':
        throw new RollcallError('STORAGE_METADATA_LENGTH_OVERFLOW', `a user's metadata has at most ${this.bounds.metadataBytes} bytes`)
    }
  }
}
