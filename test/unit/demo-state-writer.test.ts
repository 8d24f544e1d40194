import { describe, expect, test } from '@jest/globals'

import { StateWriter, type StatePatch } from '../../src/demo/state-writer.js'
import { eventually } from '../support/wait.js'

/** A writer, what it sent, and the switches of the world around it. */
function rig() {
  const world = { sent: [] as StatePatch[], gaveUp: [] as unknown[], isReady: true, refusals: [] as Error[] }
  const writer = new StateWriter(
    async (patch) => {
      world.sent.push(patch)
      const refusal = world.refusals.shift()
      if (refusal !== undefined) throw refusal
    },
    {
      isReady: () => world.isReady,
      isRetryable: (error) => error instanceof Error && error.message === 'later',
      gaveUp: (error) => world.gaveUp.push(error),
      pauseMs: 1,
    },
  )
  return { world, writer }
}

describe('what a person changes quickly', () => {
  test('goes out together, the newest value of each key', async () => {
    const { world, writer } = rig()
    writer.write({ score: '1' })
    writer.write({ score: '2', mood: '🙂' })
    writer.write({ score: '3', typing: null })
    await eventually('all is sent', () => writer.isIdle)
    expect(world.sent).toEqual([{ score: '1' }, { score: '3', mood: '🙂', typing: null }])
  })

  test('waits while there is no connection', async () => {
    const { world, writer } = rig()
    world.isReady = false
    writer.write({ mood: '🙂' })
    writer.write({ mood: '🔥' })
    expect(world.sent).toEqual([])
    expect(writer.isIdle).toBe(false)
    world.isReady = true
    writer.poke()
    await eventually('all is sent', () => writer.isIdle)
    expect(world.sent).toEqual([{ mood: '🔥' }])
  })

  test('is tried again where that may help, under what was said since', async () => {
    const { world, writer } = rig()
    world.refusals.push(new Error('later'))
    writer.write({ mood: '🙂', score: '1' })
    writer.write({ mood: '🔥' })
    await eventually('all is sent', () => writer.isIdle)
    expect(world.sent).toEqual([{ mood: '🙂', score: '1' }, { mood: '🔥', score: '1' }])
    expect(world.gaveUp).toEqual([])
  })

  test('is not tried again once it was cleared, while it was under way', async () => {
    const { world, writer } = rig()
    world.refusals.push(new Error('later'))
    writer.write({ mood: '🙂', score: '1' })
    writer.clear()
    writer.write({ mood: '🔥' })
    await eventually('all is sent', () => writer.isIdle)
    expect(world.sent).toEqual([{ mood: '🙂', score: '1' }, { mood: '🔥' }])
    expect(world.gaveUp).toEqual([])
  })

  test('is given up, and said so, where it does not', async () => {
    const { world, writer } = rig()
    const refusal = new Error('never')
    world.refusals.push(refusal)
    writer.write({ mood: '🙂' })
    await eventually('the writer is done', () => writer.isIdle)
    expect(world.sent).toHaveLength(1)
    expect(world.gaveUp).toEqual([refusal])
  })
})
