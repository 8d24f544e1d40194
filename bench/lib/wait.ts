import { setTimeout as pause } from 'node:timers/promises'

/** Asks again and again until the answer is true; rejects past the bound. */
export async function until(what: string, is: () => boolean | Promise<boolean>, { withinMs = 30_000, everyMs = 20 } = {}): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await is())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
    await pause(everyMs)
  }
}

/** Whether the work is done in time. What it rejects with is thrown. */
export async function inTime(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Does something for each of many, so many at a time. */
export async function inParallel<T, R>(items: readonly T[], atOnce: number, act: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await act(items[at] as T, at)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work))
  return results
}

/** A promise that is settled from outside. */
export class Signal {
  readonly reached: Promise<void>
  fire: () => void = () => undefined

  constructor() {
    this.reached = new Promise((resolve) => {
      this.fire = resolve
    })
  }
}
