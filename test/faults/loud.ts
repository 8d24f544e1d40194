import { connectPlain, type PlainClient } from '../support/plain.js'
import { elapse, eventually } from '../support/wait.js'
import type { Place, World } from './world.js'

/** A channel beside those of the crowd, for faults that need more to be said than the crowd says. */
export const CHANNEL = { channelName: 'loud', channelType: 'MESSAGE' } as const
/** As much as a state may hold (`src/protocol/limits.ts`): more than buffers for small things take. */
export const WORDS = 'w'.repeat(16_000)
const EVERY_MS = 100
/** Longer than any fault lasts. */
const PATIENCE_MS = 15_000
/** The load ends after this at the latest. */
const MOST_MS = 20_000

/** A change that was acknowledged. */
export interface Said {
  readonly user: string
  readonly count: number
  readonly ackedAt: number
}

/** One plain client at each of these nodes, who watches or who is going to speak; another fault may keep it waiting. */
export function joinLoud(world: World, places: readonly Place[], as: 'watcher' | 'speaker'): Promise<readonly PlainClient[]> {
  return Promise.all(places.map((place, index) => patiently(`a ${as} is in the loud channel`, () => join(world, place, `loud-${as}-${index}`, as === 'watcher'))))
}

/** Tries until it works: what is refused now is taken when the other fault of a pair is over. */
export function patiently<T>(what: string, attempt: () => Promise<T>): Promise<T> {
  return eventually(what, async () => ({ got: await attempt() }), { withinMs: PATIENCE_MS, everyMs: 200 }).then(({ got }) => got)
}

async function join({ scope }: World, { port }: Place, user: string, watches: boolean): Promise<PlainClient> {
  const client = await connectPlain(scope, user, { port, url: `http://127.0.0.1:${port}` }, { transports: ['websocket'], reconnection: false })
  try {
    await client.must('subscribe', { ...CHANNEL, withPresence: watches, beQuiet: watches })
    return client
  } catch (error) {
    client.socket.disconnect()
    throw error
  }
}

/** All speak in turn, until `enough` says so, or none is left. */
export async function speak(speakers: readonly PlainClient[], enough: () => Promise<boolean>, words: string): Promise<Said[]> {
  const said: Said[] = []
  const deadline = Date.now() + MOST_MS
  let count = Date.now()
  do {
    count += 1
    await Promise.all(
      speakers.filter(({ socket }) => socket.connected).map(async (speaker) => {
        // While there is another fault as well, some of it may be refused.
        const reply = await speaker.send('setState', { ...CHANNEL, states: { count: String(count), words } }).catch(() => undefined)
        if (reply?.ok === true) said.push({ user: speaker.user, count, ackedAt: Date.now() })
      }),
    )
    await elapse(EVERY_MS)
  } while (Date.now() < deadline && speakers.some(({ socket }) => socket.connected) && !(await enough()))
  return said
}
