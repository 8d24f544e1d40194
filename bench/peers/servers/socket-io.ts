/** Stock Socket.IO: what a client says goes to every client of this process. No adapter but its own. */
import { Server } from 'socket.io'

const io = new Server({ transports: ['websocket'] })
io.on('connection', (socket) => {
  void socket.join('room')
  socket.on('presence', (...said: unknown[]) => io.to('room').emit('presence', ...said))
})
io.listen(Number(process.env.PORT))
