import type { Packet } from './packet.js'
import type { Outlet } from './watchers.js'
import type { GatewayServer } from './types.js'

/** Packets leave through this node's rooms: Socket.IO encodes each once. Nothing of it goes to other nodes. */
export function createOutlet(io: GatewayServer): Outlet {
  const socketOf = (id: string) => io.of('/').sockets.get(id)
  return {
    toRoom: (room, except, packet) => {
      io.local.to(room).except([...except]).emit('presence', ...encoded(packet))
    },
    // Every socket has a room of its own, named by its id.
    toSockets: (ids, packet) => {
      io.local.to([...ids]).emit('presence', ...encoded(packet))
    },
    // Asked of the socket, which knows when it is gone and then joins nothing.
    join: (id, room) => void socketOf(id)?.join(room),
    leave: (id, room) => void socketOf(id)?.leave(room),
  }
}

/** The encoder takes the arguments from the packet (`packet.ts`). */
function encoded(packet: Packet): [never, never] {
  return [packet as never, undefined as never]
}
