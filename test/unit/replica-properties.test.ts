import { describe, test } from '@jest/globals'
import fc from 'fast-check'

import { ChannelReplica, sameStates, type Change, type ChangeBatch, type Effect, type Member } from '../../src/replica/replica.js'

const LIFE = 'life'
const USERS = ['ada', 'bob', 'cy', 'dee']

/** What somebody does; the log below turns it into a valid change of a channel, as the store's scripts would. */
const step = fc.record({
  user: fc.constantFrom(...USERS),
  act: fc.constantFrom('enter', 'exit', 'say', 'repair'),
  value: fc.constantFrom('1', '2', '3'),
  hard: fc.boolean(),
  skip: fc.integer({ min: 1, max: 5 }),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** A valid history: joins of who is not there, leaves and states of who is, each with its version. */
function historyOf(steps: readonly Step[]): readonly Change[] {
  const there = new Map<string, Record<string, string>>()
  const changes: Change[] = []
  let version = 0
  for (const { user, act, value, hard, skip } of steps) {
    const states = there.get(user)
    const base = { version: version + skip, userId: user, at: version + skip }
    if (act === 'enter' && states === undefined) {
      there.set(user, {})
      changes.push({ ...base, kind: 'join', joinedAt: base.at, states: {} })
    } else if (act === 'exit' && states !== undefined) {
      there.delete(user)
      changes.push({ ...base, kind: hard ? 'timeout' : 'leave' })
    } else if (act === 'say' && states !== undefined) {
      there.set(user, { value })
      changes.push({ ...base, kind: 'state', states: { value }, session: 's' })
    } else if (act === 'repair' && states !== undefined) {
      changes.push({ ...base, kind: 'assert', joinedAt: 1, states })
    } else continue
    version = base.version
  }
  return changes
}

/** The history cut into batches, each following on the one before. */
function batchesOf(changes: readonly Change[], sizes: readonly number[]): readonly ChangeBatch[] {
  const batches: ChangeBatch[] = []
  let previous = 0
  for (let at = 0, turn = 0; at < changes.length; turn++) {
    const part = changes.slice(at, at + (sizes[turn % sizes.length] ?? 1))
    at += part.length
    const version = part.at(-1)?.version ?? previous
    batches.push({ life: LIFE, previous, changes: part, version })
    previous = version
  }
  return batches
}

function fresh(): ChannelReplica {
  return new ChannelReplica({ life: LIFE, version: 0, members: new Map<string, Member>() })
}

function apply(replica: ChannelReplica, batches: readonly ChangeBatch[]): readonly Effect[] {
  return batches.flatMap((batch) => {
    const applied = replica.apply(batch)
    return applied.outcome === 'applied' ? applied.effects : []
  })
}

function sameView(a: ChannelReplica, b: ChannelReplica): boolean {
  if (a.version !== b.version || a.members.size !== b.members.size) return false
  return [...a.members].every(([user, one]) => {
    const other = b.members.get(user)
    return other?.joinedAt === one.joinedAt && sameStates(other.states, one.states)
  })
}

/** Exactly one join and one leave or timeout a stay, in turn; a state only of who is there. */
function stayByStay(effects: readonly Effect[], present = new Set<string>()): boolean {
  return effects.every(({ kind, member: { userId } }) => {
    const there = present.has(userId)
    if (kind === 'join') present.add(userId)
    if (kind === 'leave' || kind === 'timeout') present.delete(userId)
    return kind === 'join' ? !there : there
  })
}

const history = fc.array(step, { maxLength: 60 }).map(historyOf)
const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 })

describe('for every history of a channel', () => {
  test('how it is cut into batches makes no difference to what a replica holds and tells', () => {
    fc.assert(
      fc.property(history, sizes, sizes, (changes, one, other) => {
        const a = fresh()
        const b = fresh()
        const told = [apply(a, batchesOf(changes, one)), apply(b, batchesOf(changes, other))]
        return sameView(a, b) && JSON.stringify(told[0]) === JSON.stringify(told[1])
      }),
    )
  })

  test('each stay is told with one join and one leave or timeout, and versions rise', () => {
    fc.assert(
      fc.property(history, sizes, (changes, cut) => {
        const effects = apply(fresh(), batchesOf(changes, cut))
        return stayByStay(effects) && effects.every((effect, index) => index === 0 || effect.version > (effects[index - 1]?.version ?? 0))
      }),
    )
  })

  test('batches that come again, or late, change nothing and tell nothing', () => {
    fc.assert(
      fc.property(history, sizes, fc.array(fc.nat(), { maxLength: 20 }), (changes, cut, picks) => {
        const batches = batchesOf(changes, cut)
        const replica = fresh()
        const reference = fresh()
        apply(reference, batches)
        batches.forEach((batch, index) => {
          replica.apply(batch)
          for (const pick of picks) {
            const late = batches[pick % (index + 1)]
            if (late !== undefined && replica.apply(late).outcome !== 'old') throw new Error('a late batch was applied')
          }
        })
        return sameView(replica, reference)
      }),
    )
  })

  test('a replica that begins with a snapshot anywhere in it, also inside a batch, ends where the others do', () => {
    fc.assert(
      fc.property(history, sizes, fc.nat(), (changes, cut, where) => {
        const batches = batchesOf(changes, cut)
        const reference = fresh()
        apply(reference, batches)

        const source = fresh()
        const until = changes.slice(0, where % (changes.length + 1))
        apply(source, batchesOf(until, [1]))
        const late = new ChannelReplica({ life: LIFE, version: source.version, members: source.members })
        const effects = apply(late, batches)
        return sameView(late, reference) && stayByStay(effects, new Set(source.members.keys()))
      }),
    )
  })

  test('a lost batch is always noticed, and nothing after it is applied until a snapshot is taken', () => {
    fc.assert(
      fc.property(history, sizes, fc.nat(), (changes, cut, lost) => {
        const batches = batchesOf(changes, cut)
        if (batches.length < 2) return true
        const gap = lost % (batches.length - 1)
        const replica = fresh()
        const before = batches.slice(0, gap)
        apply(replica, before)
        const stands = replica.version
        for (const batch of batches.slice(gap + 1)) {
          if (replica.apply(batch).outcome !== 'gap') return false
        }
        if (replica.version !== stands) return false

        const reference = fresh()
        apply(reference, batches)
        replica.replace(reference)
        return sameView(replica, reference)
      }),
    )
  })
})
