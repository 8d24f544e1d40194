import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

import { expect, test } from '@jest/globals'

import { reset } from '../support/reset.js'
import { within } from '../support/wait.js'

test('a connection that is reset while it says goodbye is closed', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined)
  const [socket] = (await accepted) as [Socket]
  server.close()
  const errors: unknown[] = []
  socket.on('error', (error) => errors.push(error)).resume()
  const closed = Promise.all([once(client, 'close'), once(socket, 'close')])
  client.resume().end()
  await once(socket, 'end')
  // Its own end goes out in answer to the other's, a tick after that came.
  await new Promise<void>((resolve) => process.nextTick(resolve))
  expect(socket.writableEnded).toBe(true)
  // One that stays open could be closed by nobody any more: at least it shall not keep this process.
  socket.unref()
  reset(socket)
  await within(closed, 15_000, 'both ends are closed')
  expect(errors).toEqual([])
})
