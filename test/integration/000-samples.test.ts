import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { runInThisContext } from 'node:vm'

import { beforeEach, describe, expect, test } from '@jest/globals'

import type { RollcallClient } from '../../src/client/index.js'
import { RTM } from '../../src/client/index.js'
import { connect, listen, statesOf } from '../support/client.js'
import { useCluster } from '../support/node.js'
import { useTestScope } from '../support/scope.js'
import { expectJoin, expectSnapshot, expectState, type Watcher } from '../support/watcher.js'

const cluster = useCluster()
const scope = useTestScope()

type Presence = RollcallClient['presence']
type Called = 'setState' | 'getState' | 'removeState'
type Sample = (rtmClient: { presence: Pick<Presence, Called> }, console: { log: (text: string) => void }) => Promise<void>

/** A sample as the samples' page prints it (`docs/contract.md`), with what it uses but does not declare as arguments. */
async function sample(name: string, channelType: string): Promise<Sample> {
  const text = await readFile(path.join(import.meta.dirname, 'samples', `${name}.txt`), 'utf8')
  return runInThisContext(`(async (rtmClient, console) => {\n${text.replace('"MESSAGE"', JSON.stringify(channelType))}\n})`) as Sample
}

/** Runs a sample and gives back what its calls returned. The samples print and swallow what fails, so that fails here. */
async function run(name: string, channelType: string, client: RollcallClient): Promise<readonly unknown[]> {
  const printed: string[] = []
  const returned: unknown[] = []
  const keep = async <T>(call: Promise<T>): Promise<T> => {
    const result = await call
    returned.push(result)
    return result
  }
  const { presence } = client
  const recording = {
    setState: (...args: Parameters<Presence['setState']>) => keep(presence.setState(...args)),
    getState: (...args: Parameters<Presence['getState']>) => keep(presence.getState(...args)),
    removeState: (...args: Parameters<Presence['removeState']>) => keep(presence.removeState(...args)),
  }
  const body = await sample(name, channelType)
  await body({ presence: recording }, { log: (line) => printed.push(line) })
  expect(printed).toEqual([])
  expect(returned).toHaveLength(1)
  return returned
}

async function join(client: RollcallClient, channel: string, channelType: 'MESSAGE' | 'STREAM'): Promise<void> {
  if (channelType === 'STREAM') await client.createStreamChannel(channel).join()
  else await client.subscribe(channel, { withPresence: true })
}

describe.each(['MESSAGE', 'STREAM'] as const)('000.17 the samples of the page, in %s channels', (channelType) => {
  let tony: RollcallClient
  let watching: RollcallClient

  beforeEach(async () => {
    tony = await connect(scope, 'Tony', cluster.a)
    watching = await connect(scope, 'watcher', cluster.b)
  })

  async function watch(channel: string): Promise<Watcher> {
    const watcher = listen(watching, channel, 'the watcher', channelType)
    await join(watching, channel, channelType)
    await expectSnapshot(watcher, ['watcher'])
    return watcher
  }

  test('000.17 setState after joining: the watchers see it', async () => {
    const watcher = await watch('test_channel')
    await join(tony, 'test_channel', channelType)
    const [result] = await run('000-set-state', channelType, tony)
    expect(result).toMatchObject({ timestamp: expect.any(Number) })
    await expectJoin(watcher, 'Tony')
    await expectState(watcher, 'Tony', { Mode: 'Happy', Mic: 'False' })
  })

  test('000.17 setState before joining: it takes effect with the join', async () => {
    const watcher = await watch('test_channel')
    const [result] = await run('000-set-state', channelType, tony)
    expect(result).toMatchObject({ timestamp: expect.any(Number) })
    await join(tony, 'test_channel', channelType)
    await expectJoin(watcher, 'Tony')
    await expectState(watcher, 'Tony', { Mode: 'Happy', Mic: 'False' })
  })

  test('000.17 getState: the states of somebody else, without a subscription', async () => {
    await join(tony, 'Chat_room', channelType)
    await tony.presence.setState('Chat_room', channelType, { Mode: 'Happy', Mic: 'False' })
    const [result] = await run('000-get-state', channelType, watching)
    const { states, ...rest } = result as { states: Record<string, string> }
    expect({ ...states }).toEqual({ Mode: 'Happy', Mic: 'False' })
    expect(rest).toEqual({ userId: 'Tony', statesCount: 2, timestamp: expect.any(Number) })
  })

  test('000.17 getState of who is not there prints the refusal', async () => {
    const printed: string[] = []
    const body = await sample('000-get-state', channelType)
    await body(watching, { log: (line) => printed.push(line) })
    expect(printed).toEqual([expect.stringMatching(/^presenceGetState failed, ErrorCode: -13011, because of: .+\.$/)])
  })

  test('000.17 removeState: the named keys go, the others stay', async () => {
    const watcher = await watch('Chat_room')
    await join(tony, 'Chat_room', channelType)
    await tony.presence.setState('Chat_room', channelType, { Mode: 'Happy', Mic: 'False', Score: '7' })
    const [result] = await run('000-remove-state', channelType, tony)
    expect(result).toMatchObject({ timestamp: expect.any(Number) })
    await expectJoin(watcher, 'Tony')
    await expectState(watcher, 'Tony', { Mode: 'Happy', Mic: 'False', Score: '7' })
    await expectState(watcher, 'Tony', { Score: '7' })
    expect(await statesOf(watching, 'Tony', 'Chat_room', channelType)).toEqual({ Score: '7' })
  })
})

test('000.17 RTM is another name of the client', async () => {
  const { RollcallClient } = await import('../../src/client/index.js')
  expect(RTM).toBe(RollcallClient)
})
