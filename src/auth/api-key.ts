import { createHash, timingSafeEqual } from 'node:crypto'

import { RollcallError } from '../protocol/errors.js'

export interface ApiKeyCheck {
  /** Whether this is the API key. False where none is set. The time that it takes says nothing about the key. */
  isApiKey(given: string | undefined): boolean
  /**
   * Lets a request to the HTTP API pass, by its `Authorization` header. With a key that key is needed everywhere;
   * without one the API is open in development and closed in production.
   *
   * @throws RollcallError UNAUTHORIZED
   */
  authorize(authorization: string | undefined): void
}

export function apiKeyCheck({ apiKey, production }: { readonly apiKey: string | null; readonly production: boolean }): ApiKeyCheck {
  const digest = apiKey === null ? null : sha256(apiKey)

  const isApiKey = (given: string | undefined): boolean =>
    // Digests have one length, so the comparison does not even tell how long the key is.
    digest !== null && given !== undefined && timingSafeEqual(sha256(given), digest)

  return {
    isApiKey,
    authorize(authorization) {
      if (digest === null) {
        if (!production) return
        throw new RollcallError('UNAUTHORIZED', 'this API is closed until the node is given an API key (ROLLCALL_API_KEY)')
      }
      const [, given] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? []
      if (given === undefined) throw new RollcallError('UNAUTHORIZED', 'an API key is needed')
      if (!isApiKey(given)) throw new RollcallError('UNAUTHORIZED', 'this is not the API key')
    },
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
