import { RawWebSocket } from '../hostile/support/raw-websocket.js'
import { inParts } from '../support/crowd.js'
import { Scope } from '../support/scope.js'
import { elapse, within } from '../support/wait.js'
import { HALL, roomOf, type HerdCommand, type HerdReply } from './herd.js'

/** A process full of light clients, raw WebSockets, that does what the test tells it (`herd.ts`). */

/** How many arrive at the same time; they return all at once. */
const AT_ONCE = 50
/** One try, and the pause before the next: a node that is busy may refuse, and its queue of new connections may be full. */
const TRY_MS = 8_000
const PAUSE_MS = 200

interface Animal {
  readonly number: number
  session: string | undefined
  raw: RawWebSocket
  tries: number
}

const scope = new Scope()
const herd: Animal[] = []
let presenceTimeout = 0

/** Connects and is in both of its channels. Whether the cluster still knew its session. */
async function enter(number: number, port: number, session: string | undefined): Promise<{ readonly raw: RawWebSocket; readonly session: string; readonly resumed: boolean }> {
  const raw = await RawWebSocket.open(scope, { port, url: '' })
  try {
    const welcome = await raw.login(`herd-${number}`, { presenceTimeout, ...(session !== undefined && { sessionId: session }) })
    const ready = await raw.until((message) => message.startsWith('42["ready"'))
    if (welcome?.startsWith('40') !== true || ready === null) throw new Error(`refused: ${String(welcome)}`)
    const [, { sessionId, resumed }] = JSON.parse(ready.slice(2)) as [string, { readonly sessionId: string; readonly resumed: boolean }]
    const channels = [HALL, roomOf(number)].map((channelName) => ({ channelName, withPresence: false }))
    raw.text(`421["resume",${JSON.stringify({ channels })}]`)
    const answer = await raw.until((message) => message.startsWith('431['))
    if (answer === null || !answer.includes('"ok":true') || answer.includes('"error"')) throw new Error(`not in its channels: ${String(answer)}`)
    return { raw, session: sessionId, resumed }
  } catch (error) {
    raw.end()
    throw error
  }
}

async function arrive(count: number, ports: readonly number[]): Promise<HerdReply> {
  const numbers = Array.from({ length: count }, (_, number) => number)
  await inParts(numbers, AT_ONCE, async (number) => {
    herd.push({ number, tries: 1, ...(await enter(number, portOf(ports, number), undefined)) })
  })
  return { resumed: 0, begunAnew: 0, slowestMs: 0, tries: count }
}

/** Everybody to the other node than before, at once, and again until it works. */
async function comeBack(ports: readonly number[]): Promise<HerdReply> {
  const began = performance.now()
  let [resumed, begunAnew, tries] = [0, 0, 0]
  await Promise.all(
    herd.map(async (animal) => {
      for (;;) {
        tries += 1
        try {
          const back = await within(enter(animal.number, portOf(ports, animal.number + 1), animal.session), TRY_MS, 'it is back')
          animal.raw = back.raw
          if (back.resumed) resumed += 1
          else begunAnew += 1
          return
        } catch {
          await elapse(PAUSE_MS)
        }
      }
    }),
  )
  return { resumed, begunAnew, slowestMs: Math.round(performance.now() - began), tries }
}

function cut(): HerdReply {
  for (const { raw } of herd) raw.socket.resetAndDestroy()
  return { resumed: 0, begunAnew: 0, slowestMs: 0, tries: 0 }
}

function portOf(ports: readonly number[], number: number): number {
  return ports[number % ports.length] ?? 0
}

async function obey(command: HerdCommand): Promise<HerdReply> {
  switch (command.do) {
    case 'arrive':
      presenceTimeout = command.presenceTimeout
      return arrive(command.count, command.ports)
    case 'cut':
      return cut()
    case 'return':
      return comeBack(command.ports)
  }
}

process.on('message', (command: HerdCommand) => {
  obey(command).then(
    (reply) => process.send?.(reply),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
