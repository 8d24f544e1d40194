import { http } from '../support/http.js'
import { elapse, eventually } from '../support/wait.js'
import type { Fault } from './fault.js'
import { noWallClocks } from './wall-clock.js'
import type { Place, World } from './world.js'

const HOUR_S = 3_600
/** What is said of each of these faults. */
const WRONG_CLOCK = { lastsMs: 3_000, alone: "the nodes' wall clocks", missing: noWallClocks } as const

/** Wall clocks that are wrong: none may decide anything about presence (I8). */
export const CLOCK_FAULTS: readonly Fault[] = [
  {
    ...WRONG_CLOCK,
    name: 'clock-ahead',
    what: "a node's wall clock is an hour ahead, all the time",
    clocks: [HOUR_S, 0, 0],
    apply: wrongAllAlong,
  },
  {
    ...WRONG_CLOCK,
    name: 'clock-behind',
    what: "a node's wall clock is an hour behind, all the time",
    clocks: [-HOUR_S, 0, 0],
    apply: wrongAllAlong,
  },
  {
    ...WRONG_CLOCK,
    name: 'clock-jumps',
    what: "the nodes' wall clocks jump by an hour and back while they run, eight times",
    clocks: [0, 0, 0],
    apply: async ({ places, random }) => {
      await places[0]?.clock?.set(HOUR_S)
      await someIsWrong(places)
      for (let jump = 0; jump < 8; jump += 1) {
        await random.pick(places).clock?.set(random.pick([HOUR_S, -HOUR_S, 0]))
        await elapse(random.between(375, 500))
      }
      for (const { clock } of places) await clock?.set(0)
    },
  },
]

/** The crowd goes on for a while on a node that is wrong. */
async function wrongAllAlong({ places }: World): Promise<void> {
  await elapse(WRONG_CLOCK.lastsMs)
  await someIsWrong(places)
}

/** Some node really has a wrong clock: a preload that does nothing would prove nothing. */
async function someIsWrong(places: readonly Place[]): Promise<void> {
  await eventually("some node's wall clock is wrong", async () => {
    const answers = await Promise.allSettled(places.map(({ port }) => http(port, '/readyz')))
    return answers.some((answer) => answer.status === 'fulfilled' && Math.abs(Date.parse(String(answer.value.headers.date)) - Date.now()) > (HOUR_S * 1_000) / 2)
  })
}
