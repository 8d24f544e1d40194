import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { remembering } from '../lib/decoder.js'
import { BUNDLES, listens, ServerNode } from '../lib/server-node.js'
import { SocketIoClient } from '../lib/socket-io-client.js'
import { nameOf, NO_NEWS, numberOf, RETRY_MS, type MessagePeer, type News, type RosterPeer } from './types.js'

type Roster = { readonly users: readonly string[] } | { readonly error: string }

const readNews = remembering((text: string): News => {
  const [event, , userId] = JSON.parse(text) as [string, string, string]
  return { ...NO_NEWS, [event]: [numberOf(userId)] }
})

/** What one would write in an hour: `servers/naive.ts`. Its client asks again for a roster that it did not get. */
export const naive: RosterPeer & MessagePeer = {
  name: 'naive',

  start(redis) {
    return ServerNode.start(
      'naive',
      [path.join(BUNDLES, 'naive.mjs')],
      (port) => ({ PORT: String(port), REDIS_URL: redis.url }),
      listens,
    )
  },

  async enter(node, user, onNews) {
    const socket = await SocketIoClient.connect(node.port, { userId: nameOf(user) }, (text) => onNews(readNews(text)))
    let errors = 0
    return {
      get bytes() {
        return socket.bytes
      },
      get frames() {
        return socket.frames
      },
      get errors() {
        return errors
      },
      async join(channel) {
        for (let request = 'join'; ; request = 'list') {
          const reply = (await socket.ask(request, channel)) as Roster
          if ('users' in reply) {
            onNews({ ...NO_NEWS, roster: reply.users.map(numberOf) })
            return
          }
          errors++
          await pause(RETRY_MS)
        }
      },
      async leave(channel) {
        await socket.ask('leave', channel)
      },
      destroy: () => socket.destroy(),
    }
  },

  async talk(node, user, onMessage) {
    // Its room, from the login on.
    const auth = { userId: nameOf(user), room: nameOf(user) }
    const socket = await SocketIoClient.connect(node.port, auth, (text) => onMessage((JSON.parse(text) as [string, string])[1]))
    return { send: async (to, text) => (await socket.ask('send', { to: nameOf(to), text })) === true }
  },
}
