// Usage: wait-redis.mjs PORT PID. Exits 0 once a Redis answers PING on 127.0.0.1:PORT, 1 when process PID has ended or
// after ten seconds. A connection alone proves nothing: a container's port accepts before anything listens behind it.
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const [port, pid] = process.argv.slice(2).map(Number)
const deadline = Date.now() + 10_000

function answers() {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 }, () => socket.write('PING\r\n'))
    const end = (answer) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('data', (chunk) => end(chunk.toString().startsWith('+PONG')))
    for (const event of ['error', 'close', 'timeout']) socket.once(event, () => end(false))
  })
}

function lives() {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

while (!(await answers())) {
  if (!lives() || Date.now() > deadline) process.exit(1)
  await delay(50)
}
