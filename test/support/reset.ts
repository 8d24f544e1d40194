import type { Socket } from 'node:net'

/**
 * Ends a connection without a word of the protocol. One that is just saying goodbye is let go instead: a reset is refused
 * while an end is being sent (EINVAL), and Node then keeps the connection open for ever, with nobody who could close it.
 */
export function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
