import type { Outlet } from './watchers.js'
import type { GatewayServer } from './types.js'

/** Packets leave through this node's rooms: Socket.IO encodes each once. Nothing of it goes to other nodes. */
export function createOutlet(io: GatewayServer): Outlet {
  const socketOf = (id: string) => io.of('/').sockets.get(id)
  return {
    toRoom: (room, except, { events, span }) => {
      io.local.to(room).except([...except]).emit('presence', events, span)
    },
    // Every socket has a room of its own, named by its id.
    toSockets: (ids, { events, span }) => {
      io.local.to([...ids]).emit('presence', events, span)
    },
    // Asked of the socket, which knows when it is gone and then joins nothing.
    join: (id, room) => void socketOf(id)?.join(room),
    leave: (id, room) => void socketOf(id)?.leave(room),
  }
}
