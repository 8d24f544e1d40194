import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

import { reset } from './reset.js'
import type { Scope } from './scope.js'

interface Target {
  readonly port: number
}

/** `up`: from whoever connects to whom it is led; `down`: the answers. */
export type Direction = 'up' | 'down'

/** What waits in one direction before the reader is held back as well, in bytes. */
const HELD_MAX = 64 * 1024
/** How often a slow direction lets something through, in milliseconds. */
const SLOW_STEP_MS = 50
/** What a connection says first tells what it is for. */
const FIRST_BYTES = 2_048

/** Bytes on their way in one direction of one connection: in order, not before their time, not while they are held. */
class Flow {
  #queue: { readonly at: number; data: Buffer }[] = []
  #bytes = 0
  #timer: NodeJS.Timeout | undefined
  #ended = false

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly rules: () => Rules,
  ) {
    from.on('data', (data) => this.#take(data))
  }

  /** The rules have changed. */
  pump(): void {
    clearTimeout(this.#timer)
    const { held, bytesPerSecond } = this.rules()
    let room = bytesPerSecond === Infinity ? Infinity : Math.max(1, Math.floor((bytesPerSecond * SLOW_STEP_MS) / 1_000))
    const now = Date.now()
    for (let [first] = this.#queue; !held && first !== undefined && first.at <= now && room > 0; [first] = this.#queue) {
      const part = first.data.subarray(0, room)
      room -= part.length
      this.#bytes -= part.length
      if (part.length === first.data.length) this.#queue.shift()
      else first.data = first.data.subarray(part.length)
      this.to.write(part)
    }
    if (this.#bytes < HELD_MAX) this.from.resume()
    const [next] = this.#queue
    if (!held && next !== undefined && !this.#ended) this.#timer = setTimeout(() => this.pump(), Math.max(room === 0 ? SLOW_STEP_MS : 1, next.at - now))
  }

  end(): void {
    this.#ended = true
    clearTimeout(this.#timer)
  }

  #take(data: Buffer): void {
    const { delayMs, bytesPerSecond } = this.rules()
    this.#queue.push({ at: Math.max(Date.now() + delayMs, this.#queue.at(-1)?.at ?? 0), data })
    this.#bytes += data.length
    if (bytesPerSecond !== Infinity && this.#bytes >= HELD_MAX) this.from.pause()
    this.pump()
  }
}

interface Rules {
  readonly held: boolean
  readonly delayMs: number
  readonly bytesPerSecond: number
}

const OPEN: Rules = { held: false, delayMs: 0, bytesPerSecond: Infinity }

interface Pair {
  readonly near: Socket
  readonly far: Socket
  readonly up: Flow
  readonly down: Flow
  first: string
}

/** Which connections a fault is about, by what they said first; all of them when it is left out. */
type Which = (first: string) => boolean

/**
 * A network between two processes that can be slow, hold back one direction or both, or break. What it holds back it
 * delivers later, as TCP does, unless the connection is reset meanwhile.
 */
export class TcpProxy {
  readonly #pairs = new Set<Pair>()
  #rules: Record<Direction, Rules> = { up: OPEN, down: OPEN }
  #which: Which = () => true
  #up = true

  private constructor(
    readonly port: number,
    private target: Target,
  ) {}

  static async open(scope: Scope, target: Target): Promise<TcpProxy> {
    const server = createServer((socket) => proxy.#accept(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = new TcpProxy((server.address() as AddressInfo).port, target)
    scope.defer(`the proxy to :${target.port}`, async () => {
      proxy.cut()
      server.close()
      await once(server, 'close')
    })
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Holds back what goes in these directions; the connections stay open, and new ones are accepted. */
  hold(directions: readonly Direction[] = ['up', 'down'], which: Which = () => true): void {
    this.#which = which
    for (const direction of directions) this.#rules[direction] = { ...this.#rules[direction], held: true }
    this.#pump()
  }

  /** Whatever goes in these directions arrives so much later. */
  delay(delayMs: number, directions: readonly Direction[] = ['up', 'down'], which: Which = () => true): void {
    this.#which = which
    for (const direction of directions) this.#rules[direction] = { ...this.#rules[direction], delayMs }
    this.#pump()
  }

  /** The one who connects reads no faster than this. */
  slowRead(bytesPerSecond: number): void {
    this.#rules.down = { ...this.#rules.down, bytesPerSecond }
    this.#pump()
  }

  /** Everything goes through again; what was held back arrives now. */
  heal(): void {
    this.#up = true
    this.#rules = { up: OPEN, down: OPEN }
    this.#which = () => true
    this.#pump()
  }

  /** Ends the connections at once, without a word of the protocol; new ones are accepted. */
  reset(which: Which = () => true): void {
    for (const pair of [...this.#pairs]) {
      if (!which(pair.first)) continue
      this.#pairs.delete(pair)
      pair.up.end()
      pair.down.end()
      reset(pair.near)
      reset(pair.far)
    }
  }

  /** Ends the connections at once and refuses new ones. */
  cut(): void {
    this.#up = false
    this.reset()
  }

  /** New connections lead there. */
  lead(target: Target): void {
    this.target = target
  }

  #pump(): void {
    for (const pair of this.#pairs) {
      pair.up.pump()
      pair.down.pump()
    }
  }

  #accept(near: Socket): void {
    near.on('error', () => undefined)
    if (!this.#up) {
      reset(near)
      return
    }
    near.setNoDelay(true)
    const far = connect(this.target.port, '127.0.0.1')
    far.setNoDelay(true)
    far.on('error', () => undefined)
    near.on('data', (data) => {
      if (pair.first.length < FIRST_BYTES) pair.first += data.toString('latin1')
    })
    const rules = (direction: Direction) => () => (this.#which(pair.first) ? this.#rules[direction] : OPEN)
    const pair: Pair = { near, far, first: '', up: new Flow(near, far, rules('up')), down: new Flow(far, near, rules('down')) }
    this.#pairs.add(pair)
    const over = (other: Socket) => () => {
      // An end is news as well: while something is held back, nobody hears of it.
      if (this.#rules.up.held || this.#rules.down.held) return
      this.#pairs.delete(pair)
      pair.up.end()
      pair.down.end()
      other.destroy()
    }
    near.on('close', over(far))
    far.on('close', over(near))
  }
}
