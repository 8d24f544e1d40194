import { spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { remembering } from '../lib/decoder.js'
import { answers, ROOT, ServerNode } from '../lib/server-node.js'
import { WsClient } from '../lib/ws-client.js'
import { nameOf, NO_NEWS, numberOf, RETRY_MS, type News, type RosterPeer } from './types.js'

const FOLDER = path.join(ROOT, 'bench', 'peers', 'soketi')
const SERVER = path.join(FOLDER, 'node_modules', '@soketi', 'soketi', 'bin', 'server.js')
/** soketi's own defaults. */
const APP = { key: 'app-key', secret: 'app-secret' }

interface PusherMessage {
  readonly event: string
  /** JSON once more. */
  readonly data?: string | object
}
interface Read {
  readonly event: string
  readonly news: News
  readonly socketId: string
}

const read = remembering((text: string): Read => {
  const { event, data } = JSON.parse(text) as PusherMessage
  const content = (typeof data === 'string' ? JSON.parse(data) : (data ?? {})) as { readonly presence?: { readonly ids: readonly string[] }; readonly user_id?: string; readonly socket_id?: string }
  const user = content.user_id === undefined ? [] : [numberOf(content.user_id)]
  switch (event) {
    case 'pusher_internal:subscription_succeeded':
      return { event, socketId: '', news: { ...NO_NEWS, roster: (content.presence?.ids ?? []).map(numberOf) } }
    case 'pusher_internal:member_added':
      return { event, socketId: '', news: { ...NO_NEWS, joined: user } }
    case 'pusher_internal:member_removed':
      return { event, socketId: '', news: { ...NO_NEWS, left: user } }
    default:
      return { event, socketId: content.socket_id ?? '', news: NO_NEWS }
  }
})

/** A presence channel of soketi 1.6.1, spoken to by Pusher's protocol; two servers with its Redis adapter. */
export const soketi: RosterPeer = {
  name: 'soketi',

  async unavailable() {
    if (!existsSync(SERVER)) {
      const install = spawn('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'], { cwd: FOLDER, stdio: ['ignore', 'ignore', 'inherit'] })
      const [code] = (await once(install, 'exit')) as [number | null]
      if (code !== 0) return `npm could not install ${FOLDER}`
    }
    // Its websockets are a native module, built for few versions of Node.
    const load = spawn(process.execPath, ['-e', 'require("uWebSockets.js")'], { cwd: FOLDER, stdio: 'ignore' })
    const [code] = (await once(load, 'exit')) as [number | null]
    return code === 0 ? null : `its uWebSockets.js does not load in Node ${process.version}`
  },

  start(redis) {
    return ServerNode.start(
      'soketi',
      [SERVER, 'start'],
      (port) => ({
        SOKETI_HOST: '127.0.0.1',
        SOKETI_PORT: String(port),
        SOKETI_METRICS_ENABLED: 'false',
        SOKETI_ADAPTER_DRIVER: 'redis',
        SOKETI_DB_REDIS_HOST: '127.0.0.1',
        SOKETI_DB_REDIS_PORT: String(redis.port),
        // 100 members are its default.
        SOKETI_PRESENCE_MAX_MEMBERS: '100000',
      }),
      (port) => answers(port, '/ready'),
    )
  },

  async enter(node, user, onNews) {
    let onJoined: (channel: 'joined' | 'failed') => void = () => undefined
    let errors = 0
    let onSocketId: (id: string) => void = () => undefined
    const connected = new Promise<string>((resolve) => {
      onSocketId = resolve
    })
    const ws = await WsClient.connect(node.port, `/app/${APP.key}?protocol=7&client=bench&version=1`, (payload) => {
      const { event, news, socketId } = read(payload.toString('latin1'))
      if (event === 'pusher:connection_established') onSocketId(socketId)
      else if (event === 'pusher_internal:subscription_succeeded') onJoined('joined')
      else if (event === 'pusher:subscription_error' || event === 'pusher:error') onJoined('failed')
      onNews(news)
    })
    const socketId = await connected
    const send = (event: string, data: object): void => ws.send(JSON.stringify({ event, data }))
    return {
      get bytes() {
        return ws.bytes
      },
      get frames() {
        return ws.frames
      },
      get errors() {
        return errors
      },
      async join(name) {
        const channel = `presence-${name}`
        const channel_data = JSON.stringify({ user_id: nameOf(user), user_info: {} })
        const auth = `${APP.key}:${createHmac('sha256', APP.secret).update(`${socketId}:${channel}:${channel_data}`).digest('hex')}`
        for (;;) {
          const answer = new Promise<'joined' | 'failed'>((resolve) => {
            onJoined = resolve
          })
          send('pusher:subscribe', { channel, auth, channel_data })
          if ((await answer) === 'joined') return
          errors++
          await pause(RETRY_MS)
        }
      },
      async leave(name) {
        send('pusher:unsubscribe', { channel: `presence-${name}` })
      },
      destroy: () => ws.destroy(),
    }
  },
}
