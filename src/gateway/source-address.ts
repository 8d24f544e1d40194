import type { IncomingMessage } from 'node:http'

import proxyAddress from 'proxy-addr'

import type { TrustProxy } from '../config.js'

/** Where a request comes from, in front of the proxies that are trusted: what Express calls `req.ip`, for sockets too. */
export function sourceAddress(trusted: TrustProxy): (request: IncomingMessage) => string {
  const trust = typeof trusted === 'object' ? proxyAddress.compile([...trusted]) : (_: string, hop: number) => trusted === true || (typeof trusted === 'number' && hop < trusted)
  return (request) => proxyAddress(request, trust)
}
