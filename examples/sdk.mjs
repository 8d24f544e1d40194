import { RollcallClient } from 'rollcall/client'

const userId = process.argv[2] ?? 'ada'
const client = new RollcallClient('dev', userId, { url: 'http://127.0.0.1:3000' })
const lobby = client.channel('lobby')

lobby.on('change', () => {
  const people = [...lobby.members.values()].map(({ userId, states }) => `${userId} is ${states.mood ?? 'here'}`)
  console.log(`lobby (${lobby.status}): ${people.join(', ')}`)
})
client.on('linkState', ({ currentState, reason }) => console.log(`link: ${currentState}, ${reason}`))

await client.login()
await client.presence.setState('lobby', 'MESSAGE', { mood: 'curious' }) // kept until the channel is joined
await client.subscribe('lobby')

process.stdin.on('data', (line) => {
  const mood = String(line).trim() || 'happy'
  client.presence.setState('lobby', 'MESSAGE', { mood }).catch(({ code, reason }) => console.error(code, reason))
})
process.once('SIGINT', () => client.logout().then(() => process.stdin.destroy()))
