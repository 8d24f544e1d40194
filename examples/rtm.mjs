import ArRTM from 'rollcall/compat/ar-rtm'

const [me = 'ada', friend = 'bob'] = process.argv.slice(2)
const client = ArRTM.createInstance('dev', { url: 'http://127.0.0.1:3000' })

client.on('ConnectionStateChanged', (newState, reason) => console.log(newState, reason))
client.on('MessageFromPeer', ({ text }, peerId, { isOfflineMessage }) => console.log(`${peerId}: ${text}${isOfflineMessage ? ' (while you were away)' : ''}`))
client.on('PeersOnlineStatusChanged', (statuses) => console.log({ ...statuses }))
client.on('RemoteInvitationReceived', (call) => {
  console.log(`${call.callerId} calls: ${call.content}`)
  call.response = 'on my way'
  call.accept()
})

await client.login({ uid: me })
await client.subscribePeersOnlineStatus([friend])
const { hasPeerReceived } = await client.sendMessageToPeer({ text: 'hello' }, friend, { enableOfflineMessaging: true })
console.log(hasPeerReceived ? 'received' : 'kept for later')

const call = client.createLocalInvitation(friend)
call.content = 'join me'
call.on('LocalInvitationAccepted', (response) => console.log(`${friend}: ${response}`))
call.on('LocalInvitationFailure', (reason) => console.log(`${friend} does not answer: ${reason}`))
call.send()

process.once('SIGINT', () => client.logout())
