import type { PresenceStore } from '../../src/presence/store.js'
import type { Attach, BeatReply, Channel, ChannelEvent, CommitReply, Membership, Op, OpResult } from '../../src/presence/types.js'
import { recordOfStates } from '../../src/replica/replica.js'
import { eventually } from '../support/wait.js'

export const HEARTBEAT_MS = 500
export const LEASE_MS = 1_500

export const room = (name: string): Channel => ({ app: 'test', type: 'MESSAGE', name })

/** A node reduced to what it says to the store, one call after the other. */
export class TestNode {
  number = 0
  life = ''
  clock = 0

  constructor(
    readonly id: string,
    readonly store: PresenceStore,
    readonly partition: number,
  ) {}

  async beat(options: { readonly seal?: boolean; readonly number?: number } = {}): Promise<BeatReply> {
    const reply = await this.store.heartbeat(this.partition, {
      node: this.id,
      number: options.number ?? (this.number += 1),
      leaseMs: LEASE_MS,
      periodMs: HEARTBEAT_MS,
      knownLife: this.life,
      newLife: `life${Math.random().toString(36).slice(2)}`,
      clockSeen: this.clock,
      seal: options.seal ?? this.life === '',
    })
    this.life = reply.life
    this.clock = reply.clock
    return reply
  }

  commit(...ops: Op[]): Promise<CommitReply> {
    return this.store.commit(this.partition, { node: this.id, number: (this.number += 1), life: this.life, periodMs: HEARTBEAT_MS, ops })
  }

  /** Results of a batch that has to be executed. */
  async do(...ops: Op[]): Promise<readonly OpResult[]> {
    const reply = await this.commit(...ops)
    if (reply.outcome !== 'done') throw new Error(`the batch was refused: ${reply.why}`)
    this.clock = reply.clock
    return reply.results
  }

  async join(channel: Channel, userId: string, options: { readonly session?: string; readonly attach?: Attach; readonly timeoutMs?: number } = {}): Promise<OpResult> {
    const { session = `session-of-${userId}`, attach = 1, timeoutMs = 1_000 } = options
    return first(await this.do({ kind: 'join', channel, userId, session, attach, timeoutMs }))
  }

  async suspend(channel: Channel, userId: string, timeoutMs = 100): Promise<OpResult> {
    return first(await this.do({ ...of(channel, userId), kind: 'suspend', attach: 1, timeoutMs }))
  }
}

export function of(channel: Channel, userId: string): Membership {
  return { channel, userId, session: `session-of-${userId}` }
}

export function first(results: readonly OpResult[]): OpResult {
  const [result] = results
  if (result === undefined) throw new Error('no result')
  return result
}

export const states = (map: Readonly<Record<string, string>>) => recordOfStates(Object.entries(map))

/** What a subscriber of a channel has heard, in order. */
export class Ear {
  readonly events: ChannelEvent[] = []

  static async on(store: PresenceStore, channel: Channel): Promise<Ear> {
    const ear = new Ear()
    await store.subscribe(channel, (event) => ear.events.push(event))
    return ear
  }

  get changes(): string[] {
    return this.events.flatMap((event) => event.changes.map((change) => `${change.kind} ${change.userId}`))
  }

  async expect(...changes: string[]): Promise<void> {
    await eventually(`hearing ${changes.join(', ')}; heard ${this.changes.join(', ')}`, () => this.changes.length >= changes.length)
    if (JSON.stringify(this.changes) !== JSON.stringify(changes)) throw new Error(`expected ${changes.join(', ')}, heard ${this.changes.join(', ')}`)
  }
}

/** Tries an op until it is not refused as too early any more. */
export async function whenDue(node: TestNode, op: Op): Promise<OpResult> {
  let result: OpResult | undefined
  await eventually(`${op.kind} is due`, async () => {
    await node.beat()
    result = first(await node.do(op))
    return result.status !== 'early'
  })
  if (result === undefined) throw new Error('no result')
  return result
}
