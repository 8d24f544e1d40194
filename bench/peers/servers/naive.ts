/** Presence as one would write it in an hour: Socket.IO's rooms are the channels, and its Redis adapter knows who is in them. A message is for the room of a user. */
import { createAdapter } from '@socket.io/redis-adapter'
import { Redis } from 'ioredis'
import { Server } from 'socket.io'

interface Session {
  readonly userId: string
}
type Roster = { readonly users: readonly string[] } | { readonly error: string }
type Calls = Record<'join' | 'list' | 'leave', (room: string, reply: (roster: Roster) => void) => void> & {
  send(message: { readonly to: string; readonly text: string }, reply: (received: boolean) => void): void
}
type News = Record<'joined' | 'left', (room: string, userId: string) => void> & { message(text: string, received: () => void): void }

const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379'
const io = new Server<Calls, News, object, Session>({ adapter: createAdapter(new Redis(url), new Redis(url)), transports: ['websocket'] })

async function list(room: string): Promise<Roster> {
  try {
    const sockets = await io.in(room).fetchSockets()
    return { users: sockets.map(({ data }) => data.userId) }
  } catch (error) {
    return { error: String(error) }
  }
}

io.on('connection', (socket) => {
  const { userId, room } = socket.handshake.auth as Session & { readonly room?: string }
  socket.data = { userId }
  // A bench of the list needs many members without everybody's join told to everybody.
  if (room !== undefined) void socket.join(room)
  socket.on('join', async (room, reply) => {
    await socket.join(room)
    io.to(room).emit('joined', room, userId)
    reply(await list(room))
  })
  socket.on('list', async (room, reply) => reply(await list(room)))
  socket.on('leave', async (room, reply) => {
    await socket.leave(room)
    io.to(room).emit('left', room, userId)
    reply({ users: [] })
  })
  socket.on('send', async ({ to, text }, reply) => {
    const answers = await io.to(to).timeout(5_000).emitWithAck('message', text).catch(() => [])
    reply((answers?.length ?? 0) > 0)
  })
  socket.on('disconnecting', () => {
    for (const room of socket.rooms) if (room !== socket.id) io.to(room).emit('left', room, userId)
  })
})
io.listen(Number(process.env.PORT))
