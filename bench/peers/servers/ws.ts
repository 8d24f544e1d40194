/** Raw `ws`: what a client says goes to every client of this process. */
import { WebSocket, WebSocketServer } from 'ws'

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.env.PORT), perMessageDeflate: false })
server.on('connection', (socket) => {
  socket.on('message', (data: Buffer) => {
    const text = data.toString()
    for (const client of server.clients) if (client.readyState === WebSocket.OPEN) client.send(text)
  })
})
