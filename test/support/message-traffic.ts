import { expect } from '@jest/globals'

import type { RollcallClient, SendMessageOptions } from '../../src/client/index.js'
import type { MessageLog } from './message-log.js'
import type { Scope } from './scope.js'
import { elapse } from './wait.js'

/** What its sender knows of a message: whether it was received, or why it is not known. */
export type Outcome = readonly [text: string, outcome: boolean | string]

export interface Talk {
  /** Resolves when the last message was sent, and it is known what became of each. */
  readonly done: Promise<readonly Outcome[]>
  /** How many were sent. */
  readonly sent: number
  /** Sends no more. */
  stop(): Promise<readonly Outcome[]>
}

/** Sends the numbers from 0 on, without waiting for what becomes of each: so many, or until it is told to stop, at the latest with the scope. */
export function talk(scope: Scope, from: RollcallClient, to: string, { everyMs, most = Infinity, options = {} }: { everyMs: number; most?: number; options?: SendMessageOptions }): Talk {
  const outcomes: Promise<Outcome>[] = []
  let talking = true
  const done = (async () => {
    for (let n = 0; talking && n < most; n += 1) {
      const text = String(n)
      outcomes.push(
        from.messages.send(to, text, options).then(
          ({ received }): Outcome => [text, received],
          (error: unknown): Outcome => [text, (error as { code: string }).code],
        ),
      )
      await elapse(everyMs)
    }
    return Promise.all(outcomes)
  })()
  const stop = () => {
    talking = false
    return done
  }
  scope.defer(`what ${from.userId} says`, stop)
  return {
    done,
    get sent() {
      return outcomes.length
    },
    stop,
  }
}

/** What holds whatever happens: each comes once, in order, and whatever counts as received has come. */
export function expectSound(log: Pick<MessageLog, 'texts'>, outcomes: readonly Outcome[]): void {
  const numbers = log.texts.map(Number)
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
  const had = new Set(log.texts)
  expect(outcomes.filter(([text, outcome]) => outcome === true && !had.has(text))).toEqual([])
  const known = /^PRESENCE_(OPERATION_(FAILED|TIMEOUT)|REQUEST_CANCELLED|TOO_MANY_PENDING)$/
  expect(outcomes.filter(([, outcome]) => typeof outcome === 'string' && !known.test(outcome))).toEqual([])
}

/** Nothing went wrong as far as the two users can see. */
export function expectWhole(log: Pick<MessageLog, 'texts'>, outcomes: readonly Outcome[]): void {
  expectSound(log, outcomes)
  expect(outcomes.filter(([, outcome]) => outcome !== true)).toEqual([])
  expect(log.texts).toHaveLength(outcomes.length)
}
