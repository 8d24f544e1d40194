import { describe, expect, jest, test } from '@jest/globals'
import { backoffMs, pause } from '../../src/client/backoff.js'
import { Emitter, EventQueue } from '../../src/client/emitter.js'

interface Events {
  readonly news: string
  readonly other: number
}

class Source extends Emitter<Events> {
  tell(news: string): void {
    this.emit('news', news)
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('events', () => {
  test('none fires before the tick of the call has ended, nor before continuations that wait for it', async () => {
    const source = new Source(new EventQueue())
    const heard: string[] = []
    source.tell('a')
    await Promise.resolve().then(() => Promise.resolve())
    source.on('news', (news) => heard.push(news))
    expect(heard).toEqual([])
    await turn()
    expect(heard).toEqual(['a'])
  })

  test('keep their order over several sources of one queue', async () => {
    const queue = new EventQueue()
    const [one, two] = [new Source(queue), new Source(queue)]
    const heard: string[] = []
    one.on('news', (news) => heard.push(`one ${news}`))
    two.on('news', (news) => heard.push(`two ${news}`))
    one.tell('a')
    two.tell('b')
    one.tell('c')
    await turn()
    expect(heard).toEqual(['one a', 'two b', 'one c'])
  })

  test('a listener is held once, and removed by the same function', async () => {
    const source = new Source(new EventQueue())
    const listener = jest.fn()
    source.addEventListener('news', listener)
    source.on('news', listener)
    source.tell('a')
    await turn()
    expect(listener).toHaveBeenCalledTimes(1)
    source.off('news', listener)
    source.tell('b')
    await turn()
    expect(listener).toHaveBeenCalledTimes(1)
  })

  test('once hears the next event only, and can be taken back before', async () => {
    const source = new Source(new EventQueue())
    const [heard, never] = [jest.fn(), jest.fn()]
    source.once('news', heard).once('news', never).off('news', never)
    source.tell('a')
    source.tell('b')
    await turn()
    expect(heard.mock.calls).toEqual([['a']])
    expect(never).not.toHaveBeenCalled()
  })

  test('what a listener causes comes in a later turn, and who it adds hears from the next event on', async () => {
    const source = new Source(new EventQueue())
    const heard: string[] = []
    source.once('news', () => {
      source.on('news', (news) => heard.push(news))
      source.tell('b')
    })
    source.tell('a')
    await turn()
    expect(heard).toEqual([])
    await turn()
    expect(heard).toEqual(['b'])
  })

  test('what is no function is refused at once', () => {
    const source = new Source(new EventQueue())
    expect(() => source.on('news', undefined as never)).toThrow(TypeError)
  })
})

describe('the pause before a retry', () => {
  test('grows from 0.2 s to 5 s, with full jitter', () => {
    const longest = Array.from({ length: 8 }, (_, attempt) => backoffMs(attempt, () => 0.999_999))
    expect(longest).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000])
    expect(backoffMs(5, () => 0)).toBe(0)
    expect(backoffMs(1_000_000, () => 0.5)).toBe(2_500)
  })

  test('ends at once when it is aborted', async () => {
    const stop = new AbortController()
    const waiting = pause(60_000, stop.signal)
    stop.abort(new Error('stopped'))
    await expect(waiting).rejects.toThrow('stopped')
    await expect(pause(0, stop.signal)).rejects.toThrow('stopped')
  })
})
