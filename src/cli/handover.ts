import type { Server } from 'node:http'
import type { Socket } from 'node:net'

interface ReadableHandle {
  readStop(): unknown
}

/**
 * Keeps the primary from reading on a connection that the balancer is about to hand to a worker. To be called after the
 * balancer has put its listeners on the server.
 *
 * A handle is passed on a little after its first bytes were read, later still when others are under way to the same
 * worker. What the client sends in between (a WebSocket's first frame) would be read here, by a process that has no use
 * for it, and the client would wait for ever. `pause()` is not enough: it stops the stream, and not the handle.
 */
export function stopReadingAtHandover(server: Server): void {
  server.on('connection', (socket: Socket) => {
    socket.prependOnceListener('data', (chunk: Buffer) => {
      if (!staysHere(chunk)) (socket as Socket & { readonly _handle?: ReadableHandle | null })._handle?.readStop()
    })
  })
}

/** The balancer's own rule: a request that may have more than one chunk stays, and its chunks are forwarded. */
function staysHere(chunk: Buffer): boolean {
  const header = chunk.subarray(0, chunk.indexOf('\r\n\r\n')).toString('latin1').toLowerCase()
  return header.includes('content-length:') || header.includes('transfer-encoding:')
}
