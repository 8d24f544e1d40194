import { messageId, type InboxPage, type Keeping, type Lack, type MessageStore, type Outgoing, type Settlement, type StoredMessage, type Taken } from '../../presence/messages.js'
import { channelId, userChannel, type Channel } from '../../presence/types.js'
import type { RedisAccess } from './access.js'
import { listOf, numberOf, replyOf, ReplyShapeError, textOf } from './codec.js'
import * as scripts from './scripts.js'

const MESSAGE_FIELDS = 5

/** Messages on Redis: each in the partition of the user whom it is for. */
export class RedisMessages implements MessageStore {
  constructor(private readonly access: RedisAccess) {}

  partitionOf(channel: Channel): number {
    return this.access.partitionOf(channel)
  }

  async take(app: string, message: Outgoing, { waitingMs, otherMs, most, periodMs }: Keeping): Promise<Taken> {
    const { to, from, token, sequence, text, waits } = message
    const home = userChannel(app, to)
    const keys = this.access.keysOf(home)
    const named = [keys.clock, keys.inbox(app, to), keys.kept(app, to), keys.heard(app, message), keys.roster(app, to), keys.sessions(channelId(home)), keys.post]
    const args = [
      app, to, from, messageId(message), token, sequence === null ? '' : String(sequence), waits ? '1' : '0', text,
      String(periodMs * 1000), String(waitingMs), String(otherMs), String(most),
    ]
    return decodeTaken(await this.access.run(scripts.message, named, args))
  }

  async acknowledge(app: string, message: Settlement, session: string, graceMs: number): Promise<void> {
    await this.#settle('acknowledge', app, message, [session, String(graceMs)])
  }

  async settle(app: string, message: Settlement): Promise<boolean> {
    return (await this.#settle('settle', app, message, ['', '0'])) === '1'
  }

  async holding(partition: number, app: string, userIds: readonly string[]): Promise<readonly string[]> {
    const keys = this.access.keysAt(partition)
    const found = listOf(await this.access.run(scripts.holding, userIds.map((userId) => keys.inbox(app, userId)), []), 'holding')
    return found.map((index) => userIds[numberOf(index, 'holding') - 1] ?? '')
  }

  async read(app: string, userId: string, { after, received, floor }: Lack, bytes: number): Promise<InboxPage> {
    const keys = this.access.keysOfUser(app, userId)
    const args = [String(after), received?.life ?? '', String(received?.position ?? 0), String(floor), String(bytes)]
    const reply = replyOf(await this.access.run(scripts.inbox, [keys.clock, keys.inbox(app, userId), keys.kept(app, userId)], args), 'inbox')
    const [life, last, more, ...fields] = reply
    const messages: StoredMessage[] = []
    for (let i = 0; i + MESSAGE_FIELDS <= fields.length; i += MESSAGE_FIELDS) messages.push(decodeMessage(fields.slice(i, i + MESSAGE_FIELDS)))
    return { life: textOf(life, 'inbox'), last: numberOf(last, 'inbox'), more: more === '1', messages }
  }

  async #settle(kind: 'acknowledge' | 'settle', app: string, message: Settlement, more: readonly string[]): Promise<unknown> {
    const { to, from, token } = message
    const home = userChannel(app, to)
    const keys = this.access.keysOf(home)
    const named = [keys.inbox(app, to), keys.kept(app, to), keys.heard(app, message), keys.sessions(channelId(home)), keys.post, keys.clock]
    return this.access.run(scripts.receipt, named, [kind, app, from, messageId(message), token, ...more])
  }
}

function decodeTaken(reply: unknown): Taken {
  const [outcome, timestamp, age, dropped] = replyOf(reply, 'message')
  switch (outcome) {
    case 'blocked':
      return { outcome }
    case 'waiting':
      return { outcome, timestamp: numberOf(timestamp, 'message'), ageMs: numberOf(age, 'message'), dropped: numberOf(dropped, 'message') }
    case 'received':
    case 'unreceived':
      return { outcome, timestamp: numberOf(timestamp, 'message'), dropped: numberOf(dropped, 'message') }
    default:
      throw new ReplyShapeError('message', reply)
  }
}

function decodeMessage([position, id, timestamp, from, text]: readonly unknown[]): StoredMessage {
  return { position: numberOf(position, 'inbox'), id: textOf(id, 'inbox'), timestamp: numberOf(timestamp, 'inbox'), from: textOf(from, 'inbox'), text: textOf(text, 'inbox') }
}
