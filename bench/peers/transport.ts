import path from 'node:path'

import { BUNDLES, listens, ServerNode } from '../lib/server-node.js'
import { SocketIoClient } from '../lib/socket-io-client.js'
import { WsClient } from '../lib/ws-client.js'
import type { PeerName, TransportPeer } from './types.js'

function start(name: PeerName, bundle: string): Promise<ServerNode> {
  return ServerNode.start(name, [path.join(BUNDLES, bundle)], (port) => ({ PORT: String(port) }), listens)
}

export const ws: TransportPeer = {
  name: 'ws',
  start: () => start('ws', 'ws.mjs'),

  async watch(node, onFrame) {
    const client = await WsClient.connect(node.port, '/', onFrame)
    return {
      get bytes() {
        return client.bytes
      },
      // The very text that Socket.IO would send.
      say: (payload) => client.send(`42${JSON.stringify(['presence', payload])}`),
      destroy: () => client.destroy(),
    }
  },
}

export const socketIo: TransportPeer = {
  name: 'socket.io',
  start: () => start('socket.io', 'socket-io.mjs'),

  async watch(node, onFrame) {
    const client = await SocketIoClient.connect(node.port, {}, onFrame)
    return {
      get bytes() {
        return client.bytes
      },
      say: (payload) => client.say('presence', payload),
      destroy: () => client.destroy(),
    }
  },
}
