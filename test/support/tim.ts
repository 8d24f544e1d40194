import { createTimClient, type TimAck, type TimClient, type TimClientOptions, type TimMessage, type TimPresence } from '../../src/client/compat/tim/index.js'
import type { NodeAddress } from './node.js'
import type { Scope } from './scope.js'
import { Bell, PATIENCE_MS, within } from './wait.js'

/** A client in TIM's shape with what its handlers were given. */
export class TimUser {
  readonly presences: TimPresence[] = []
  readonly acks: TimAck[] = []
  readonly messages: TimMessage[] = []
  readonly #bell = new Bell()

  private constructor(
    readonly account: string,
    readonly tc: TimClient,
  ) {
    const keep = <T>(list: T[]) => (json: string): void => {
      list.push(JSON.parse(json) as T)
      this.#bell.ring()
    }
    tc.presenceHandler = keep(this.presences)
    tc.ackHandler = keep(this.acks)
    tc.messageHandler = keep(this.messages)
  }

  static create(scope: Scope, account: string, { url }: Pick<NodeAddress, 'url'>, options: Partial<TimClientOptions> = {}): TimUser {
    const user = new TimUser(account, createTimClient({ url, appId: 'dev', userId: account, ...options }))
    scope.defer(`the account ${account}`, () => within(user.tc.logout().catch(() => undefined), 15_000, `${account} is logged out`))
    return user
  }

  static async login(scope: Scope, account: string, where: Pick<NodeAddress, 'url'>, options: Partial<TimClientOptions> = {}): Promise<TimUser> {
    const user = TimUser.create(scope, account, where, options)
    await within(user.tc.login(), PATIENCE_MS, `${account} logs in`)
    return user
  }

  from(account: string): TimPresence[] {
    return this.presences.filter(({ fromTid }) => fromTid.node === account)
  }

  /** So many presences of an account, in order; rejects when there are more. */
  async expectFrom(account: string, count: number): Promise<readonly TimPresence[]> {
    await this.#bell.until(() => (this.from(account).length >= count ? true : undefined), PATIENCE_MS, () => `${this.account} has ${count} of ${account}; it has ${JSON.stringify(this.presences)}`)
    return this.#exactly(this.from(account), count)
  }

  async expectAcks(count: number): Promise<readonly TimAck[]> {
    await this.#bell.until(() => (this.acks.length >= count ? true : undefined), PATIENCE_MS, () => `${this.account} has ${count} acks; it has ${JSON.stringify(this.acks)}`)
    return this.#exactly(this.acks, count)
  }

  /** The first notice of this kind from an account. */
  async expectNotice(bnType: number, account: string): Promise<TimMessage> {
    const find = (): TimMessage | undefined => this.messages.find((message) => message.bnType === bnType && message.fromTid.node === account)
    return this.#bell.until(find, PATIENCE_MS, () => `${this.account} has a notice ${bnType} of ${account}; it has ${JSON.stringify(this.messages)}`)
  }

  /**
   * Has this one told something by somebody whom it can hear, and waits for that: whatever was told to it before is here by then.
   * (Post for one user comes in the order in which it was published.)
   */
  async settled(marker: TimUser): Promise<void> {
    const before = this.from(marker.account).length
    await marker.tc.PresenceToUser(this.account, 0, `mark ${before}`)
    await this.expectFrom(marker.account, before + 1)
  }

  #exactly<T>(list: readonly T[], count: number): readonly T[] {
    if (list.length !== count) throw new Error(`${this.account} has ${list.length} and not ${count}: ${JSON.stringify(list)}`)
    return [...list]
  }
}

/** Both add the other, and know it. */
export async function befriend(one: TimUser, other: TimUser): Promise<void> {
  await one.tc.Addroster(other.account, 'hello')
  await other.tc.Addroster(one.account)
  await Promise.all([one.expectNotice(5, other.account), other.expectNotice(5, one.account)])
}
