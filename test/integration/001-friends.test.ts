import { describe, expect, test } from '@jest/globals'

import { uniqueChannel } from '../support/client.js'
import { useCluster } from '../support/node.js'
import { useTestScope } from '../support/scope.js'
import { befriend, TimUser } from '../support/tim.js'

const cluster = useCluster()
const scope = useTestScope()
const account = (name: string): string => uniqueChannel(name)

/** Each tells all friends something, and it is seen who heard whom. */
async function hears(one: TimUser, other: TimUser, marker: TimUser): Promise<readonly [boolean, boolean]> {
  const before = [one.from(other.account).length, other.from(one.account).length] as const
  await one.tc.BroadPresence(0, 1, 'x')
  await other.tc.BroadPresence(0, 1, 'x')
  for (const each of [one, other]) await each.settled(marker)
  return [one.from(other.account).length > before[0], other.from(one.account).length > before[1]]
}

async function three(): Promise<readonly [TimUser, TimUser, TimUser]> {
  return [await TimUser.login(scope, account('a'), cluster.a), await TimUser.login(scope, account('b'), cluster.b), await TimUser.login(scope, account('marker'), cluster.a)]
}

describe('001.13 friendship', () => {
  test('is mutual: one side alone makes nobody a recipient, asking twice is no error, and the other side\'s word makes both', async () => {
    const [a, b, marker] = await three()
    expect(await a.tc.Addroster(b.account, 'hello')).toMatchObject({ ok: true })
    expect(await b.expectNotice(4, a.account)).toMatchObject({ fromTid: { node: a.account }, dataString: 'hello' })
    expect(await hears(a, b, marker)).toEqual([false, false])
    expect(await a.tc.Addroster(b.account, 'hello?')).toMatchObject({ ok: true })
    expect(await hears(a, b, marker)).toEqual([false, false])
    await b.tc.Addroster(a.account)
    await Promise.all([a.expectNotice(5, b.account), b.expectNotice(5, a.account)])
    expect(await hears(a, b, marker)).toEqual([true, true])
    expect(await a.tc.Addroster(b.account)).toMatchObject({ ok: true })
    expect(await hears(a, b, marker)).toEqual([true, true])
    expect(a.acks.concat(b.acks)).toEqual([])
    expect([(await a.tc.Roster()).nodelist, (await b.tc.Roster()).nodelist]).toEqual([[b.account], [a.account]])
  })

  test('who was away when it was asked for is told with the roster, once a login; who was there has been told', async () => {
    const [a, , marker] = await three()
    const name = account('b')
    await a.tc.Addroster(name, 'hello')
    for (let login = 1; login <= 2; login += 1) {
      const b = await TimUser.login(scope, name, cluster.b)
      await marker.tc.Addroster(name, 'me too')
      if (login === 1) await b.expectNotice(4, marker.account)
      for (let times = 1; times <= 2; times += 1) expect((await b.tc.Roster()).nodelist).toEqual([])
      const asked = b.messages.map(({ bnType, fromTid, dataString }) => [bnType, fromTid.node, dataString])
      expect(asked.sort()).toEqual([[4, a.account, 'hello'], [4, marker.account, 'me too']].sort())
      await b.tc.logout()
    }
    const b = await TimUser.login(scope, name, cluster.b)
    await b.tc.Addroster(a.account)
    await b.expectNotice(5, a.account)
    await b.tc.Roster()
    expect(b.messages.map(({ bnType, fromTid }) => [bnType, fromTid.node])).toEqual([[5, a.account], [4, marker.account]])
  })

  test.each(['the one who asked', 'the one who was asked'])('removing by %s stops both directions at once', async (who) => {
    const [a, b, marker] = await three()
    await befriend(a, b)
    const [remover, removed] = who === 'the one who asked' ? [a, b] : [b, a]
    await remover.tc.Rmroster(removed.account)
    expect(await hears(a, b, marker)).toEqual([false, false])
    await removed.expectNotice(6, remover.account)
    expect([(await a.tc.Roster()).nodelist, (await b.tc.Roster()).nodelist]).toEqual([[], []])
  })

  test.each(['the one who asked', 'the one who was asked'])('blocking by %s stops both directions at once, and what is sent to one alone', async (who) => {
    const [a, b, marker] = await three()
    await befriend(a, b)
    const [blocker, blocked] = who === 'the one who asked' ? [a, b] : [b, a]
    await blocker.tc.Blockroster(blocked.account)
    expect(await hears(a, b, marker)).toEqual([false, false])
    await blocked.expectNotice(7, blocker.account)
    expect((await blocker.tc.BlockRosterList()).nodelist).toEqual([blocked.account])
    for (const [from, to] of [[a, b], [b, a]] as const) {
      expect(await from.tc.PresenceToUser(to.account, 1, 'psst')).toMatchObject({ ok: false, timType: 91, error: { code: 4110 } })
    }
    expect(await blocked.tc.Addroster(blocker.account, 'please')).toMatchObject({ ok: false, error: { code: 4110 } })
    expect(await hears(a, b, marker)).toEqual([false, false])
  })

  test('a roster lasts: it is there after both were offline', async () => {
    const [a, b, marker] = await three()
    await befriend(a, b)
    await Promise.all([a.tc.logout(), b.tc.logout()])
    const again = [await TimUser.login(scope, a.account, cluster.b), await TimUser.login(scope, b.account, cluster.a)] as const
    expect(await hears(...again, marker)).toEqual([true, true])
    expect((await cluster.redis.keysThatStay()).filter((key) => /:(roster|asked):/.test(key)).length).toBeGreaterThan(0)
  })
})
