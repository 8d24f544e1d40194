import { createTimClient } from 'rollcall/compat/tim'

const [me = 'ada', friend = 'bob'] = process.argv.slice(2)
const tc = createTimClient({ url: 'http://127.0.0.1:3000', appId: 'dev', userId: me })

tc.presenceHandler = (json) => {
  const { fromTid, offline, subStatus, status } = JSON.parse(json)
  console.log(`${fromTid.node}: ${offline ? 'gone' : status}`)
  // Asked for an answer, one answers; taken for gone, one says that it is here.
  if (subStatus === 1) tc.PresenceToUser(fromTid.node, 1, 'here too', 2)
  if (offline && fromTid.node === me) tc.BroadPresence(1, 1, 'still here')
}
tc.messageHandler = (json) => {
  const { bnType, fromTid } = JSON.parse(json)
  if (bnType === 4) tc.Addroster(fromTid.node) // asks to be a friend
  if (bnType === 5) tc.BroadPresence(1, 1, 'here') // is one now
}
tc.ackHandler = (json) => console.log('refused:', json)

await tc.login()
await tc.Addroster(friend, 'hello')
await tc.BroadPresence(1, 1, 'here')

process.once('SIGINT', () => tc.logout())
