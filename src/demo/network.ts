/**
 * A network cable that can be pulled, for the page's "pull the cable" buttons: sockets close without a goodbye and
 * nothing gets through until the time is over. The cluster cannot tell it from a real loss, and neither can the SDK.
 *
 * This module has to be loaded before the SDK, whose transport takes the `WebSocket` of the moment it is loaded.
 */
let cutUntil = 0
/** More than the page ever has at once. */
const MOST_CONNECTIONS = 4

function isCut(): boolean {
  return Date.now() < cutUntil
}

globalThis.WebSocket = new Proxy(globalThis.WebSocket, {
  construct(target, args: ConstructorParameters<typeof WebSocket>) {
    const socket = new target(...args)
    // Closed while it is connecting: to its owner that is a connection that failed.
    if (isCut()) socket.close()
    return socket
  },
})

const originalSend = Object.getOwnPropertyDescriptor(XMLHttpRequest.prototype, 'send')?.value as XMLHttpRequest['send']

XMLHttpRequest.prototype.send = function send(this: XMLHttpRequest, body) {
  originalSend.call(this, body)
  if (isCut()) this.abort()
}

/** Pulls the cable for `ms` milliseconds; `tick` hears what is left of them, at least once a second, and at last 0. */
export function pullCable(ms: number, tick: (leftMs: number) => void): void {
  cutUntil = Date.now() + ms
  // What a browser says when it loses its network; the transport closes on it. With each time the transport passes over the
  // connection after each that it closes, and the page has one a person.
  for (let time = 0; time < MOST_CONNECTIONS; time++) dispatchEvent(new Event('offline'))
  const timer = setInterval(() => {
    const left = Math.max(0, cutUntil - Date.now())
    tick(left)
    if (left > 0) return
    clearInterval(timer)
    dispatchEvent(new Event('online'))
  }, 250)
  tick(ms)
}
