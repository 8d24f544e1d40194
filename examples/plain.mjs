import { io } from 'socket.io-client'

const userId = process.argv[2] ?? 'bob'
const auth = { appId: 'dev', userId }
const socket = io('http://127.0.0.1:3000', { auth })
const members = new Map()
const later = (again) => setTimeout(again, 1_000 + Math.random() * 1_000)

const subscribe = () =>
  socket.emit('subscribe', { channelName: 'lobby', states: { mood: 'curious' } }, ({ ok, error }) => {
    if (!ok) console.error(error.code, error.reason)
    if (error?.retryable) later(subscribe)
  })
socket.on('ready', ({ sessionId, attach }) => {
  socket.auth = (give) => give({ ...auth, sessionId, attach: ++attach }) // a reconnect continues the session
  subscribe()
})
socket.on('presence', (events) => {
  for (const { eventType, publisher, stateChanged, snapshot } of events) {
    if (eventType === 'SNAPSHOT') members.clear()
    for (const { userId, states } of snapshot ?? []) members.set(userId, states)
    if (eventType === 'REMOTE_JOIN') members.set(publisher, {})
    if (eventType === 'REMOTE_STATE_CHANGED') members.set(publisher, stateChanged)
    if (eventType === 'REMOTE_LEAVE' || eventType === 'REMOTE_TIMEOUT') members.delete(publisher)
    console.log(eventType, publisher, Object.fromEntries(members))
  }
})
socket.on('connect_error', (error) => {
  console.error(error.data?.code ?? error.message)
  if (error.data?.retryable) later(() => socket.connect()) // any other refusal is final
})
process.once('SIGINT', () => socket.disconnect())
