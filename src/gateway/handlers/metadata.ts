import { RollcallError } from '../../protocol/errors.js'
import { parseGetMetadata, parseRemoveMetadata, parseWriteMetadata } from '../../protocol/parse.js'
import type { WriteMetadataReply } from '../../protocol/requests.js'
import type { Connection } from '../connection.js'
import type { Handler } from '../requests.js'
import { inLine, type HandlerContext } from './context.js'

export function setUserMetadata(context: HandlerContext): Handler {
  return writer('storageSetUserMetadata', (payload) => parseWriteMetadata(payload, context.limits), (author, request) => context.metadata.set(author, request))
}

export function updateUserMetadata(context: HandlerContext): Handler {
  return writer('storageUpdateUserMetadata', (payload) => parseWriteMetadata(payload, context.limits), (author, request) => context.metadata.update(author, request))
}

export function removeUserMetadata(context: HandlerContext): Handler {
  return writer('storageRemoveUserMetadata', (payload) => parseRemoveMetadata(payload, context.limits), (author, request) => context.metadata.remove(author, request))
}

/** Anybody's may be read by whoever is logged in: it says nothing of where somebody is. */
export function getUserMetadata(context: HandlerContext): Handler {
  return {
    operation: 'storageGetUserMetadata',
    async handle(connection, payload, respond) {
      const { userId } = parseGetMetadata(payload, context.limits)
      const whose = userId ?? connection.userId
      await inLine(connection, lineOf(whose), async () => respond(await context.metadata.get(whose)))
    },
  }
}

interface Whose {
  readonly userId: string | null
}

function writer<T extends Whose>(operation: string, parse: (payload: unknown) => T, write: (author: string, request: T) => Promise<WriteMetadataReply>): Handler {
  return {
    operation,
    async handle(connection, payload, respond) {
      const request = parse(payload)
      const whose = request.userId ?? connection.userId
      await inLine(connection, lineOf(whose), async () => {
        assertMayWrite(connection, whose)
        respond(await connection.write(write(connection.userId, request)))
      })
    },
  }
}

/** As in RTM 2.x everybody writes for everybody, unless a token says what its owner may do: that is never this. */
function assertMayWrite({ grant, userId }: Connection, whose: string): void {
  if (whose !== userId && grant.limited) throw new RollcallError('PERMISSION_DENIED', 'a token with "channels" allows changes of one\'s own metadata only')
}

/** A session's requests about one user's metadata take effect in the order in which they were sent. */
function lineOf(userId: string): string {
  return `USER:${userId}`
}
