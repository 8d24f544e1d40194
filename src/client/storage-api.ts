import { RollcallError } from '../protocol/errors.js'
import { parseMetadataItems, parseMetadataTargets, parseRevision, type MetadataDetail } from '../protocol/metadata.js'
import { checkUserId } from '../protocol/names.js'
import { recordOf } from '../protocol/record.js'
import type { WriteMetadataRequest } from '../protocol/requests.js'
import { during } from './failures.js'
import type { Link } from './link.js'
import { optionsOf } from './options.js'
import type { Done } from './presence-api.js'
import type { RequestOf } from './wire.js'

/** One item that is written. */
export interface MetadataItemInput {
  readonly key: string
  readonly value: string
  /** What the item's revision must be: the one that was read, 0 when there must be none yet, -1 for any. @default -1 */
  readonly revision?: number
}

export interface GetUserMetadataOptions {
  /** Whose. @default oneself */
  readonly userId?: string
}

export interface WriteUserMetadataOptions extends GetUserMetadataOptions {
  /** What the major revision must be: the one that was read, 0 when nothing must be there yet, -1 for any. @default -1 */
  readonly majorRevision?: number
  /** Accepted; the time is always kept. */
  readonly addTimeStamp?: boolean
  /** Accepted; the author is always kept. */
  readonly addUserId?: boolean
}

export interface RemoveUserMetadataOptions extends WriteUserMetadataOptions {
  /** The items to remove, by their keys; none, or no list, removes all. */
  readonly data?: readonly Omit<MetadataItemInput, 'value'>[]
}

export interface WriteUserMetadataResult extends Done {
  readonly userId: string
  /** After the change; the items that it wrote have the same revision. */
  readonly majorRevision: number
}

export interface GetUserMetadataResult extends Done {
  readonly userId: string
  readonly totalCount: number
  /** 0: nothing was stored yet. */
  readonly majorRevision: number
  /** By key; without a prototype. */
  readonly metadata: Readonly<Record<string, MetadataDetail>>
}

const REMOVE_OPTIONS = ['data', 'userId', 'majorRevision', 'addTimeStamp', 'addUserId']

/**
 * `client.storage`, in the shape of RTM 2.x (`000.18`): what is kept of a user when its sessions are over. Needs no channel.
 *
 * Each call is carried out whole or not at all. Everything here rejects with a `RollcallError`: INVALID_USER_ID, NOT_LOGIN,
 * NOT_CONNECTED, RATE_EXCEEDED, STORAGE_OPERATION_FAILED (not carried out), STORAGE_OPERATION_TIMEOUT and
 * PRESENCE_OPERATION_TIMEOUT (outcome unknown), and what each names. Reads that were under way when the connection was
 * lost are sent again; changes are not, but reject with PRESENCE_REQUEST_CANCELLED: their outcome is unknown.
 */
export class StorageApi {
  readonly #userId: string
  readonly #link: Link

  constructor(userId: string, link: Link) {
    this.#userId = userId
    this.#link = link
  }

  /**
   * Makes items, or replaces them; others stay.
   *
   * STORAGE_INVALID_ARGUMENT (no items), STORAGE_METADATA_ITEM_EXCEED_LIMITATION, STORAGE_INVALID_KEY,
   * STORAGE_KEY_LENGTH_OVERFLOW, STORAGE_DUPLICATE_KEY, STORAGE_INVALID_VALUE, STORAGE_VALUE_LENGTH_OVERFLOW,
   * STORAGE_INVALID_REVISION, STORAGE_METADATA_LENGTH_OVERFLOW; PERMISSION_DENIED (another user's, with a token that
   * names channels); STORAGE_OUTDATED_REVISION.
   */
  setUserMetadata(items: readonly MetadataItemInput[], options: WriteUserMetadataOptions = {}): Promise<WriteUserMetadataResult> {
    return this.#write('setUserMetadata', 'storageSetUserMetadata', () => this.#writing(items, options))
  }

  /** Replaces items that are there. As {@link setUserMetadata}; STORAGE_INVALID_METADATA_ITEM when one of them is not. */
  updateUserMetadata(items: readonly MetadataItemInput[], options: WriteUserMetadataOptions = {}): Promise<WriteUserMetadataResult> {
    return this.#write('updateUserMetadata', 'storageUpdateUserMetadata', () => this.#writing(items, options))
  }

  /**
   * Removes the items that are named, or all. What is not there is gone already. PERMISSION_DENIED,
   * STORAGE_OUTDATED_REVISION; STORAGE_INVALID_ARGUMENT also for an option that is not known, since a list under
   * another name would else remove everything.
   */
  removeUserMetadata(options: RemoveUserMetadataOptions = {}): Promise<WriteUserMetadataResult> {
    return this.#write('removeUserMetadata', 'storageRemoveUserMetadata', () => {
      const unknown = Object.keys(optionsOf(options)).find((name) => !REMOVE_OPTIONS.includes(name))
      if (unknown !== undefined) throw new RollcallError('STORAGE_INVALID_ARGUMENT', `the options are ${REMOVE_OPTIONS.join(', ')}, not ${JSON.stringify(unknown)}`)
      return { ...this.#whose(options), items: parseMetadataTargets(options.data, this.#link.limits), majorRevision: parseRevision(options.majorRevision) }
    })
  }

  /** All metadata of a user; anybody's may be read. A user who has none has a `totalCount` of 0. */
  async getUserMetadata(options: GetUserMetadataOptions = {}): Promise<GetUserMetadataResult> {
    const operation = 'storageGetUserMetadata'
    const request = during(operation, () => this.#whose(optionsOf(options)))
    const { userId, totalCount, majorRevision, metadata, timestamp } = await this.#link.request('getUserMetadata', request, operation)
    return { userId, totalCount, majorRevision, metadata: recordOf(Object.entries(metadata)), timestamp }
  }

  #whose({ userId }: GetUserMetadataOptions): { readonly userId: string } {
    return { userId: userId === undefined ? this.#userId : checkUserId(userId) }
  }

  #writing(items: readonly MetadataItemInput[], options: WriteUserMetadataOptions): WriteMetadataRequest {
    const { majorRevision } = optionsOf(options)
    return { ...this.#whose(options), items: parseMetadataItems(items, this.#link.limits), majorRevision: parseRevision(majorRevision) }
  }

  async #write<Name extends 'setUserMetadata' | 'updateUserMetadata' | 'removeUserMetadata'>(
    name: Name,
    operation: string,
    requestOf: () => RequestOf<Name>,
  ): Promise<WriteUserMetadataResult> {
    const request = during(operation, requestOf)
    const { userId, majorRevision, timestamp } = await this.#link.request(name, request, operation, { resend: false })
    return { userId, majorRevision, timestamp }
  }
}
