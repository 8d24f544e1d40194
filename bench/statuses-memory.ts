/**
 * What a node keeps for peers' statuses: bytes for each pair of a client and a user that it watches, without sockets.
 *
 *     npx esbuild bench/statuses-memory.ts --bundle --platform=node --format=esm --packages=external | node --expose-gc --input-type=module -
 */
import { PeerStatuses } from '../src/feeds/peer-statuses.js'
import { PeerFanout, type PeerWatcher } from '../src/gateway/peer-fanout.js'
import type { StatusEvent, UserStatus } from '../src/presence/status.js'
import type { PresenceStore } from '../src/presence/store.js'
import type { Channel } from '../src/presence/types.js'

const CLIENTS = 5_000
const PEERS_EACH = 100
const PARTITIONS = 16

const nothing = { inc: () => undefined }

/** As much of a store as statuses need; every fifth user is away. */
function fakeStore(listeners: Map<number, (event: StatusEvent) => void>): PresenceStore {
  const statusOf = (userId: string): UserStatus => (userId.endsWith('5') || userId.endsWith('0') ? { status: 'OFFLINE', lastSeen: 1_795_314_371_204 + Math.random() } : { status: 'ONLINE', lastSeen: null })
  return {
    partitions: PARTITIONS,
    partitionOf: ({ name }: Channel) => [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 65_537, 7) % PARTITIONS,
    statuses: (_partition: number, _app: string, userIds: readonly string[]) =>
      Promise.resolve({ life: 'life', version: 1_795_314_510_655_121, settlesInMs: 0, rows: userIds.map(statusOf) }),
    subscribeStatuses: (partition: number, listener: (event: StatusEvent) => void) => {
      listeners.set(partition, listener)
      return Promise.resolve(() => undefined)
    },
    onSubscriberReset: () => undefined,
  } as unknown as PresenceStore
}

class Client implements PeerWatcher {
  readonly backlogBytes = 0
  peers: Set<string> | null = null
  constructor(readonly id: string) {}
  assertAlive(): void {
    // It is.
  }
}

function used(): number {
  const { gc } = globalThis as { gc?: () => void }
  if (gc === undefined) throw new Error('run it with --expose-gc')
  for (let i = 0; i < 4; i += 1) gc()
  return process.memoryUsage().heapUsed
}

async function measure(what: string, peerOf: (client: number, peer: number) => number): Promise<void> {
  const before = used()
  const log = { warn: () => undefined, debug: () => undefined } as never
  const statuses = new PeerStatuses({ store: fakeStore(new Map()), app: 'dev', inService: () => true }, 5_000, { gaps: nothing }, log)
  const fanout = new PeerFanout({ peers: statuses, tell: () => undefined, flushMs: 20, backlogBytes: 1_048_576, metrics: { peerChanges: nothing, skipped: nothing } })
  const clients = Array.from({ length: CLIENTS }, (_, i) => new Client(`client-${i}`))
  const withClients = used()
  for (const [i, client] of clients.entries()) {
    // As they come over the wire: strings of their own.
    const userIds = JSON.parse(JSON.stringify(Array.from({ length: PEERS_EACH }, (_, n) => `user-${peerOf(i, n)}-of-this`))) as string[]
    await fanout.subscribe(client, userIds, 5_000)
  }
  const bytes = used() - withClients
  const pairs = fanout.pairs
  process.stdout.write(`${what}: ${pairs} pairs of ${CLIENTS} clients and ${statuses.size} users: ${Math.round(bytes / pairs)} bytes a pair\n`)
  for (const client of clients) fanout.unsubscribe(client, null)
  statuses.close()
  process.stdout.write(`  after all have unsubscribed: ${statuses.size} users, ${fanout.pairs} pairs, ${((used() - before) / 1e6).toFixed(1)} MB more than before\n`)
}

await measure('each its own users', (client, peer) => client * PEERS_EACH + peer)
await measure('all the same 5,000 users', (client, peer) => (client + peer * 37) % CLIENTS)
