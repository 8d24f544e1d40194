import type { Members } from './members.js'
import type { Session } from './service.js'
import { settled } from './settled.js'
import type { PresenceStore } from './store.js'
import type { Channel, OpResult, Removed } from './types.js'

/**
 * Takes users out of channels where a session stands for them that was ended for good while it had no connection: no node has one to
 * close, so that they would be seen until it times out.
 */
export class Withdrawals {
  /** The sessions without a connection that a login has put an end to. What they were in waits for it: nobody sees a device start again. */
  readonly #outlived = new WeakMap<Session, readonly Removed[]>()

  constructor(
    private readonly app: string,
    private readonly store: Pick<PresenceStore, 'partitionOf' | 'channelsOf' | 'ownership'>,
    private readonly members: Pick<Members, 'submit'>,
  ) {}

  /** A login has put an end to others. */
  note(session: Session, { removed = [] }: OpResult): void {
    const outlived = removed.filter(({ node }) => node === null)
    if (outlived.length > 0) this.#outlived.set(session, outlived)
  }

  /** Of what a login has outlived, in these channels or in all. Never rejects: what cannot be withdrawn now times out. */
  async outlived(session: Session, channels?: readonly Channel[]): Promise<void> {
    const sessions = this.#outlived.get(session)
    if (sessions === undefined) return
    try {
      const left = channels ?? (await this.store.channelsOf(this.app, session.userId))
      await Promise.all(left.map((channel) => this.#leave(channel, session.userId, sessions)))
    } catch {
      // It has its deadline.
    }
  }

  /**
   * Of a user who was kicked, in all channels, as far as it is in them through the sessions that were ended, or through some that ended before
   * this version of its USER channel: attaches are drawn from the same clock. Most of it a node would do that has a connection to close;
   * one that sleeps or loses it just now would not.
   */
  async kicked(userId: string, ended: ReadonlySet<string>, version: number): Promise<void> {
    const channels = await settled(this.store.channelsOf(this.app, userId))
    await Promise.all(
      channels.map(async (channel) => {
        const [entries] = await settled(this.store.ownership.sessions(this.store.partitionOf(channel), [{ channel, userId }]))
        await this.#leave(channel, userId, (entries ?? []).filter(({ session, attach }) => ended.has(session) || attach <= version))
      }),
    )
  }

  async #leave(channel: Channel, userId: string, sessions: readonly Pick<Removed, 'session' | 'attach'>[]): Promise<void> {
    await Promise.all(sessions.map(({ session, attach }) => this.members.submit({ channel, userId, session, kind: 'leave', attach })))
  }
}
