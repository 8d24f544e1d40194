import { connectPlain, type PlainClient } from './plain.js'
import type { NodeAddress } from './node.js'
import type { Scope } from './scope.js'

/** How many connections are opened at the same time. */
const AT_ONCE = 50

/**
 * Many light clients: websocket only, one connection each, spread over the nodes in turn. Users are named by their
 * number, from `from` on.
 */
export async function connectCrowd(scope: Scope, nodes: readonly NodeAddress[], count: number, from = 0): Promise<readonly PlainClient[]> {
  const crowd: PlainClient[] = []
  while (crowd.length < count) {
    const next = Array.from({ length: Math.min(AT_ONCE, count - crowd.length) }, (_, index) => from + crowd.length + index)
    crowd.push(
      ...(await Promise.all(
        next.map((number) => {
          const [node] = nodes.slice(number % nodes.length)
          if (node === undefined) throw new Error('a crowd needs a node')
          return connectPlain(scope, `crowd-${number}`, node, { transports: ['websocket'], reconnection: false })
        }),
      )),
    )
  }
  return crowd
}

/** Does something with each of many, so many at a time. */
export async function inParts<T>(list: readonly T[], atOnce: number, act: (item: T, index: number) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < list.length; at += atOnce) await Promise.all(list.slice(at, at + atOnce).map((item, index) => act(item, at + index)))
}
