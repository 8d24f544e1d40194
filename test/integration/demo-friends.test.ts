import { describe, expect, test } from '@jest/globals'

import { Person } from '../../src/demo/friends/person.js'
import { createClient, uniqueChannel } from '../support/client.js'
import { useCluster, type TestNode } from '../support/node.js'
import { useTestScope } from '../support/scope.js'
import { Bell, PATIENCE_MS } from '../support/wait.js'

const cluster = useCluster({ limits: { invitationAnswerMs: 1_000 } })
const scope = useTestScope()

/** One of the page's people, without the page. */
class Someone {
  readonly person: Person
  readonly failures: unknown[] = []
  readonly #bell = new Bell()

  constructor(node: TestNode, userId = uniqueChannel('friend'), isNewName = true) {
    this.person = new Person(createClient(scope, userId, node), isNewName, {
      changed: () => {
        this.#bell.ring()
      },
      failed: (error) => this.failures.push(error),
    })
  }

  get id(): string {
    return this.person.userId
  }

  async enter(): Promise<this> {
    await this.person.signIn()
    await this.sees('the roster', (person) => person.hasEntered)
    return this
  }

  async sees(what: string, find: (person: Person) => boolean): Promise<void> {
    await this.#bell.until(() => (find(this.person) ? true : undefined), PATIENCE_MS, () => `${this.id} sees ${what}; failures: ${String(this.failures)}`)
  }

  async seesFriend({ id }: Someone, standing: string | null, words = ''): Promise<void> {
    await this.sees(`${id} ${standing} ${words}`, ({ book }) => book.isFriend(id) && book.find(id)?.standing === standing && book.find(id)?.words === words)
  }

  /** The lines with somebody, in short: own ones with what became of them. */
  with({ id }: Someone): readonly string[] {
    return this.person.talks.with(id).map((line) => (line.kind === 'own' ? `${line.text}: ${line.fate}` : line.kind === 'theirs' && line.isLate ? `${line.text}: late` : line.text))
  }

  async reads(from: Someone, ...lines: string[]): Promise<void> {
    await this.sees(lines.join(), () => JSON.stringify(this.with(from)) === JSON.stringify(lines))
  }
}

async function friends(): Promise<readonly [Someone, Someone]> {
  const [ana, bob] = await Promise.all([new Someone(cluster.a).enter(), new Someone(cluster.b).enter()])
  ana.person.befriend(bob.id)
  await bob.sees('a request', ({ book }) => book.find(ana.id)?.tie === 'asks')
  await ana.sees('that it has asked', ({ book }) => book.find(bob.id)?.tie === 'asked')
  bob.person.befriend(ana.id)
  await Promise.all([ana.seesFriend(bob, 'here'), bob.seesFriend(ana, 'here')])
  return [ana, bob]
}

describe('two people of the demo page', () => {
  test('hear at once how the other one is, that they are gone, and that they are back', async () => {
    const [ana, bob] = await friends()
    bob.person.say({ standing: 'away', words: 'at lunch' })
    await ana.seesFriend(bob, 'away', 'at lunch')
    await bob.person.signOut()
    await ana.seesFriend(bob, 'gone')
    // A login tells friends nothing, and asks them: both know again.
    await bob.person.signIn()
    await Promise.all([ana.seesFriend(bob, 'away', 'at lunch'), bob.seesFriend(ana, 'here')])
    expect([ana.failures, bob.failures]).toEqual([[], []])
  })

  test('see of a message whether it was received, is kept, or is lost', async () => {
    const [ana, bob] = await friends()
    ana.person.write(bob.id, 'hello', false)
    await ana.reads(bob, 'hello: received')
    await bob.reads(ana, 'hello')
    await bob.person.signOut()
    ana.person.write(bob.id, 'for later', true)
    ana.person.write(bob.id, 'for nobody', false)
    await ana.reads(bob, 'hello: received', 'for later: kept', 'for nobody: lost')
    await bob.person.signIn()
    await bob.reads(ana, 'hello', 'for later: late')
    await ana.seesFriend(bob, 'here')
    expect(bob.with(ana)).toEqual(['hello', 'for later: late'])
  })

  test('call: it rings on all devices, and stops on all when one answers', async () => {
    const [ana, bob] = await friends()
    const device = await new Someone(cluster.a, bob.id, false).enter()
    ana.person.call(bob.id)
    for (const each of [bob, device]) await each.sees('a call', ({ calls }) => calls.incoming.length === 1)
    await ana.sees('that it rings', ({ calls }) => calls.open[0]?.invitation.state === 'RECEIVED')
    bob.person.accept(bob.person.calls.incoming[0]?.invitation.id ?? '')
    for (const each of [ana, bob, device]) await each.sees('the end', ({ calls, seen }) => calls.open.length === 0 && seen.has('call'))
    expect([ana.with(bob), bob.with(ana), device.with(ana)]).toEqual([[`${bob.id} accepted the call`], ['you accepted the call'], ['your other device accepted the call']])
  })

  test('call, and refuse, give up, or let it ring', async () => {
    const [ana, bob] = await friends()
    const ring = async (): Promise<string> => {
      ana.person.call(bob.id)
      await bob.sees('a call', ({ calls }) => calls.incoming.length === 1)
      return bob.person.calls.incoming[0]?.invitation.id ?? ''
    }
    const ended = () => bob.sees('the end', ({ calls }) => calls.open.length === 0)
    bob.person.refuse(await ring())
    await ended()
    await ana.sees('no more calls', ({ calls }) => calls.open.length === 0)
    ana.person.cancel(await ring())
    await ended()
    await ana.sees('no more calls', ({ calls }) => calls.open.length === 0)
    await ring()
    await ended()
    await ana.reads(bob, `${bob.id} refused the call: “not now”`, 'you gave up calling', `the call ended: ${bob.id} did not answer in time`)
  })

  test('part, and a name that was drawn by chance inherits nobody', async () => {
    const [ana, bob] = await friends()
    bob.person.part(ana.id)
    for (const [each, other] of [[ana, bob], [bob, ana]] as const) await each.sees('no friend', ({ book }) => book.find(other.id) === undefined)
    ana.person.befriend(bob.id)
    bob.person.befriend(ana.id)
    await Promise.all([ana.seesFriend(bob, 'here'), bob.seesFriend(ana, 'here')])
    const known = await new Someone(cluster.b, ana.id, false).enter()
    expect(known.person.book.isFriend(bob.id)).toBe(true)
    const stranger = await new Someone(cluster.b, ana.id, true).enter()
    expect(stranger.person.book.contacts).toEqual([])
    await bob.sees('no friend', ({ book }) => book.find(ana.id) === undefined)
  })
})
