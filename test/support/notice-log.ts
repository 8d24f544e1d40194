import type { RollcallClient } from '../../src/client/index.js'
import type { RosterNotice } from '../../src/protocol/roster.js'
import type { StatusNotice } from '../../src/protocol/statuses-told.js'
import { PlainClient } from './plain.js'
import { Bell, PATIENCE_MS } from './wait.js'

/** What a client is told of friends, and by them, from now on. */
export class NoticeLog {
  readonly userId: string
  readonly statuses: StatusNotice[] = []
  readonly notices: RosterNotice[] = []
  readonly #bell = new Bell()
  readonly #read = new Map<string, number>()

  constructor(client: RollcallClient | PlainClient) {
    const status = (notice: StatusNotice): void => {
      this.statuses.push(notice)
      this.#bell.ring()
    }
    const roster = (notice: RosterNotice): void => {
      this.notices.push(notice)
      this.#bell.ring()
    }
    if (client instanceof PlainClient) {
      this.userId = client.user
      client.socket.on('status', status)
      client.socket.on('roster', roster)
    } else {
      this.userId = client.userId
      client.on('status', status)
      client.on('roster', roster)
    }
  }

  from(userId: string): StatusNotice[] {
    return this.statuses.filter(({ from }) => from === userId)
  }

  /** The kinds of what was told of somebody, in order. */
  path(userId: string): RosterNotice['type'][] {
    return this.notices.filter((notice) => notice.userId === userId).map(({ type }) => type)
  }

  /** The next status of somebody, after those that were awaited before. */
  next(userId: string, ms = PATIENCE_MS): Promise<StatusNotice> {
    return this.#next(`status ${userId}`, () => this.from(userId), ms, () => `${this.userId} hears ${userId}; it has heard ${JSON.stringify(this.statuses)}`)
  }

  /** The next notice about somebody, after those that were awaited before; it has to be of this type. */
  async notice(type: RosterNotice['type'], userId: string, ms = PATIENCE_MS): Promise<RosterNotice> {
    const about = (): RosterNotice[] => this.notices.filter((one) => one.userId === userId)
    const notice = await this.#next(`roster ${userId}`, about, ms, () => `${this.userId} is told ${type} of ${userId}; it was told ${JSON.stringify(this.notices)}`)
    if (notice.type !== type) throw new Error(`${this.userId} was told ${notice.type} and not ${type} of ${userId}`)
    return notice
  }

  /** Has somebody else tell this one something, and waits for it: whatever was told to this one before is here by then. */
  async settled(by: RollcallClient): Promise<void> {
    const mark = `mark ${Math.random()}`
    await by.status.send(this.userId, { status: mark })
    await this.#bell.until(() => this.statuses.find(({ status }) => status === mark), PATIENCE_MS, () => `${this.userId} hears a mark of ${by.userId}`)
  }

  #next<T>(line: string, list: () => readonly T[], ms: number, describe: () => string): Promise<T> {
    const at = this.#read.get(line) ?? 0
    this.#read.set(line, at + 1)
    return this.#bell.until(() => list()[at], ms, describe)
  }
}

/** Both add the other, and have been told so. */
export async function befriend(one: RollcallClient, other: RollcallClient): Promise<void> {
  const logs = [new NoticeLog(one), new NoticeLog(other)] as const
  await one.roster.add(other.userId)
  await other.roster.add(one.userId)
  await Promise.all([logs[0].notice('FRIENDS', other.userId), logs[1].notice('REQUEST', one.userId).then(() => logs[1].notice('FRIENDS', one.userId))])
}
