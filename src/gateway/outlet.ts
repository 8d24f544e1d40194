import { sendDirectly } from './direct-frames.js'
import type { Packet } from './packet.js'
import type { GatewayServer, GatewaySocket } from './types.js'
import type { Outlet } from './watchers.js'

/** Packets leave through this node's rooms: Socket.IO encodes each once. Nothing of it goes to other nodes. */
export function createOutlet(io: GatewayServer): Outlet {
  return {
    ...rooms(io),
    toRoom: (room, except, packet) => {
      io.local.to(room).except([...except]).emit('presence', ...encoded(packet))
    },
    // Every socket has a room of its own, named by its id.
    toSockets: (ids, packet) => {
      io.local.to([...ids]).emit('presence', ...encoded(packet))
    },
  }
}

/** The same, but that whoever has nothing else to be sent gets a packet past Socket.IO (`direct-frames.ts`). */
export function createDirectOutlet(io: GatewayServer): Outlet {
  const main = io.of('/')
  const toSockets = (ids: Iterable<string>, packet: Packet): void => {
    const others: string[] = []
    for (const id of ids) {
      const socket: GatewaySocket | undefined = main.sockets.get(id)
      if (socket !== undefined && !sendDirectly(socket.conn, packet.frame)) others.push(id)
    }
    if (others.length > 0) io.local.to(others).emit('presence', ...encoded(packet))
  }
  return {
    ...rooms(io),
    toSockets,
    toRoom: (room, except, packet) => {
      const all: Iterable<string> = main.adapter.rooms.get(room) ?? []
      const apart = new Set(except)
      toSockets(apart.size === 0 ? all : [...all].filter((id) => !apart.has(id)), packet)
    },
  }
}

function rooms(io: GatewayServer): Pick<Outlet, 'join' | 'leave'> {
  const socketOf = (id: string) => io.of('/').sockets.get(id)
  return {
    // Asked of the socket, which knows when it is gone and then joins nothing.
    join: (id, room) => void socketOf(id)?.join(room),
    leave: (id, room) => void socketOf(id)?.leave(room),
  }
}

/** The encoder takes the arguments from the packet (`packet.ts`). */
function encoded(packet: Packet): [never, never] {
  return [packet as never, undefined as never]
}
