import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

import { reset } from './reset.js'
import type { Scope } from './scope.js'

interface Target {
  readonly port: number
}

/**
 * A wire between a client and a node that a test can cut, freeze and lead elsewhere. It forwards bytes and knows no
 * protocol, so what the two ends notice is what they would notice of a real network.
 */
export class Link {
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #up = true
  #frozen = false

  private constructor(
    readonly port: number,
    private target: Target,
  ) {}

  static async open(scope: Scope, target: Target): Promise<Link> {
    const server = createServer((socket) => link.#accept(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const link = new Link((server.address() as AddressInfo).port, target)
    scope.defer(`the link to :${target.port}`, async () => {
      link.cut()
      server.close()
      await once(server, 'close')
    })
    return link
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Ends every connection at once, without a word of the protocol, and refuses new ones. */
  cut(): void {
    this.#up = false
    for (const [left, right] of this.#pairs) {
      reset(left)
      reset(right)
    }
    this.#pairs.clear()
  }

  /** Takes connections again, to the same node or to another one. */
  restore(target: Target = this.target): void {
    this.target = target
    this.#up = true
  }

  /** Ends the connections as they are and takes new ones at once, to the given node. */
  redirect(target: Target = this.target): void {
    this.cut()
    this.restore(target)
  }

  /** Holds back everything, in both directions; the connections stay open. */
  freeze(): void {
    this.#frozen = true
    for (const [left, right] of this.#pairs) {
      left.pause()
      right.pause()
    }
  }

  thaw(): void {
    this.#frozen = false
    for (const [left, right] of this.#pairs) {
      left.resume()
      right.resume()
    }
  }

  #accept(client: Socket): void {
    client.on('error', () => undefined)
    if (!this.#up) {
      reset(client)
      return
    }
    const node = connect(this.target.port, '127.0.0.1')
    node.on('error', () => undefined)
    const pair = [client, node] as const
    this.#pairs.add(pair)
    client.on('data', (data) => node.write(data)).on('close', () => node.destroy())
    node.on('data', (data) => client.write(data)).on('close', () => {
      client.destroy()
      this.#pairs.delete(pair)
    })
    if (this.#frozen) {
      client.pause()
      node.pause()
    }
  }
}
