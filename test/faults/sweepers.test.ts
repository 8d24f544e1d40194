import { expect, test } from '@jest/globals'

import { channelId, type Membership } from '../../src/presence/types.js'
import { Ear, room, TestNode } from '../contract/test-node.js'
import { singleRedis } from '../contract/setups.js'
import { useTestScope } from '../support/scope.js'
import { elapse, eventually } from '../support/wait.js'

const scope = useTestScope()

const SWEEPERS = 8
const MEMBERS = 10_000
const BATCH = 500

test(`I7: ${SWEEPERS} sweepers race for ${MEMBERS} due memberships, and each is removed once and told once`, async () => {
  const running = await singleRedis.start(scope)
  const lobby = room('lobby')
  const nodes: TestNode[] = []
  for (let index = 0; index < SWEEPERS; index += 1) {
    const store = await running.open(scope, `sweeper-${index}`)
    const node = new TestNode(`sweeper-${index}`, store, store.partitionOf(lobby))
    await node.beat()
    nodes.push(node)
  }
  const [first] = nodes
  if (first === undefined) throw new Error('no sweeper')
  const ear = await Ear.on(first.store, lobby)
  const all: readonly Membership[] = Array.from({ length: MEMBERS }, (_, index) => ({ channel: lobby, userId: `user-${index}`, session: `session-${index}` }))
  for (let at = 0; at < MEMBERS; at += BATCH) {
    const some = all.slice(at, at + BATCH)
    await first.do(...some.map((membership) => ({ ...membership, kind: 'join' as const, attach: 1, timeoutMs: 1 })), ...some.map((membership) => ({ ...membership, kind: 'suspend' as const, attach: 1, timeoutMs: 1 })))
  }

  let removed = 0
  await Promise.all(
    nodes.map(async (node) => {
      for (;;) {
        const { due } = await node.store.dueCandidates(node.partition, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, BATCH)
        if (due.length === 0) return
        await node.beat()
        const results = await node.do(...due.map((membership) => ({ ...membership, kind: 'expire' as const })))
        removed += results.filter(({ status }) => status === 'ok').length
        if (results.some(({ status }) => status === 'early')) await elapse(50)
      }
    }),
  )

  await eventually('every end has been told', () => ear.changes.filter((change) => change.startsWith('timeout ')).length >= MEMBERS)
  expect(removed).toBe(MEMBERS)
  const told = ear.changes.filter((change) => change.startsWith('timeout '))
  expect(told).toHaveLength(MEMBERS)
  expect(new Set(told).size).toBe(MEMBERS)
  expect(await running.command('EXISTS', `rollcall:{${first.partition}}:members:${channelId(lobby)}`)).toBe(0)
})
