import { sendDirectly } from './direct-frames.js'
import type { Packet } from './packet.js'
import type { GatewayServer, GatewaySocket } from './types.js'
import type { Outlet } from './watchers.js'

/** Packets leave through this node's rooms: Socket.IO encodes each once. Nothing of it goes to other nodes. */
export function createOutlet(io: GatewayServer): Outlet {
  const socketOf = (id: string) => io.of('/').sockets.get(id)
  return {
    // Asked of the socket, which knows when it is gone and then joins nothing.
    join: (id, room) => void socketOf(id)?.join(room),
    leave: (id, room) => void socketOf(id)?.leave(room),
    toRoom: (room, except, packet) => {
      io.local.to(room).except([...except]).emit('presence', ...encoded(packet))
      return false
    },
    // Every socket has a room of its own, named by its id.
    toSockets: (ids, packet) => {
      io.local.to([...ids]).emit('presence', ...encoded(packet))
    },
  }
}

/**
 * The same, but that whoever has nothing else to be sent gets a packet past Socket.IO (`direct-frames.ts`). Its rooms hold the
 * sockets themselves: looking each up by its id would cost as much again as all that is checked of it.
 */
export function createDirectOutlet(io: GatewayServer): Outlet {
  const { sockets } = io.of('/')
  const rooms = new Map<string, Map<string, GatewaySocket>>()
  const send = (to: Iterable<GatewaySocket>, packet: Packet): boolean => {
    const { frame } = packet
    const others: string[] = []
    for (const { id, conn } of to) if (!sendDirectly(conn, frame)) others.push(id)
    if (others.length > 0) io.local.to(others).emit('presence', ...encoded(packet))
    return others.length === 0
  }
  return {
    toRoom: (room, except, packet) => {
      const all = rooms.get(room) ?? new Map<string, GatewaySocket>()
      if (except.length === 0) return send(all.values(), packet)
      const apart = new Set(except)
      send([...all.values()].filter(({ id }) => !apart.has(id)), packet)
      return false
    },
    toSockets: (ids, packet) => void send(ids.flatMap((id) => sockets.get(id) ?? []), packet),
    join: (id, room) => {
      const socket = sockets.get(id)
      if (socket === undefined) return
      const others = rooms.get(room)
      if (others === undefined) rooms.set(room, new Map([[id, socket]]))
      else others.set(id, socket)
    },
    leave: (id, room) => {
      const others = rooms.get(room)
      others?.delete(id)
      if (others?.size === 0) rooms.delete(room)
    },
  }
}

/** The encoder takes the arguments from the packet (`packet.ts`). */
function encoded(packet: Packet): [never, never] {
  return [packet as never, undefined as never]
}
