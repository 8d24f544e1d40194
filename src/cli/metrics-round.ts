import type { Worker } from 'node:cluster'

import { mergeMetrics } from '../metrics/index.js'
import { tell, type ToPrimary } from './messages.js'

/** A worker that does not answer is left out after this time, in ms. */
const ANSWER_MS = 2_000

interface Round {
  readonly readings: Map<string, unknown>
  readonly missing: Set<Worker>
  readonly finish: () => void
}

/** Asks all workers for their metrics when one of them was asked for those of all. */
export class MetricsRounds {
  readonly #rounds = new Map<number, Round>()
  #last = 0

  /** `workers` are those that run now, each with the name under which its metrics appear. */
  constructor(private readonly workers: () => ReadonlyMap<Worker, string>) {}

  onMessage(worker: Worker, message: ToPrimary): void {
    if (message.type === 'rollcall:collect') void this.#collect(worker, message.id)
    else if (message.type === 'rollcall:reading') this.#onReading(worker, message.id, message.reading)
  }

  async #collect(asker: Worker, id: number): Promise<void> {
    const readings = await this.#readAll()
    tell(asker, { type: 'rollcall:collected', id, text: await mergeMetrics(readings) })
  }

  #readAll(): Promise<ReadonlyMap<string, unknown>> {
    const round = ++this.#last
    const workers = [...this.workers().keys()].filter((worker) => worker.isConnected())
    return new Promise((resolve) => {
      const readings = new Map<string, unknown>()
      const finish = (): void => {
        clearTimeout(timer)
        this.#rounds.delete(round)
        resolve(readings)
      }
      const timer = setTimeout(finish, ANSWER_MS)
      this.#rounds.set(round, { readings, missing: new Set(workers), finish })
      for (const worker of workers) tell(worker, { type: 'rollcall:read', id: round })
    })
  }

  #onReading(worker: Worker, id: number, reading: unknown): void {
    const round = this.#rounds.get(id)
    if (round === undefined) return
    const name = this.workers().get(worker)
    if (name !== undefined) round.readings.set(name, reading)
    round.missing.delete(worker)
    if (round.missing.size === 0) round.finish()
  }
}
