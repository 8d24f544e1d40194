import { createHash, timingSafeEqual } from 'node:crypto'

import { RollcallError } from '../protocol/errors.js'
import type { ApiKeyCheck } from './api-key.js'

/** How a caller of the functions says who it is (`003.4`): the headers `X-LC-Id`, `X-LC-Key` and `X-LC-Sign`. */
export interface AppCredentials {
  readonly id: string | undefined
  /** The API key; `,master` may follow, as clients say it of a key that may do everything. */
  readonly key: string | undefined
  /** `md5(timestamp + key),timestamp`, in hexadecimal digits and milliseconds; `,master` may follow. */
  readonly sign: string | undefined
}

export interface AppKeyCheck {
  /**
   * Lets a call of a function pass: with an API key, by the app id and either that key or a signature made with it not longer than
   * {@link SIGNATURE_MS} ago; without one, everybody in development who names no other app, and nobody in production.
   *
   * @throws RollcallError UNAUTHORIZED
   */
  authorizeApp(credentials: AppCredentials): void
}

interface AppKeyConfig {
  readonly appId: string
  readonly apiKey: string | null
  readonly production: boolean
}

/**
 * How far a signature's time may be from this node's, in ms. It covers no more than the time, so whoever sees one can call what they
 * like with it: not for ever. Enough for clocks that nobody looks after.
 */
export const SIGNATURE_MS = 15 * 60_000
/** Below this a timestamp is one of seconds: as milliseconds it would be of 1973. */
const AS_SECONDS = 1e11

export function appKeyCheck({ appId, apiKey, production }: AppKeyConfig, { isApiKey }: Pick<ApiKeyCheck, 'isApiKey'>, now: () => number = Date.now): AppKeyCheck {
  const isKey = (given: string | undefined): boolean => isApiKey(given) || (given?.endsWith(MASTER) === true && isApiKey(given.slice(0, -MASTER.length)))

  const isSignature = (given: string | undefined): boolean => {
    const [, digest, timestamp] = /^([0-9a-f]{32}),(\d{1,15})(?:,master)?$/i.exec(given ?? '') ?? []
    if (apiKey === null || digest === undefined || timestamp === undefined) return false
    const right = createHash('md5').update(timestamp + apiKey).digest()
    if (!timingSafeEqual(Buffer.from(digest, 'hex'), right)) return false
    const at = Number(timestamp) < AS_SECONDS ? Number(timestamp) * 1_000 : Number(timestamp)
    return Math.abs(now() - at) <= SIGNATURE_MS
  }

  return {
    authorizeApp({ id, key, sign }) {
      const isApp = id === appId || (id === undefined && apiKey === null)
      if (!isApp) throw new RollcallError('UNAUTHORIZED', 'this is not the app id')
      if (apiKey === null ? production : !isKey(key) && !isSignature(sign)) throw new RollcallError('UNAUTHORIZED', 'an API key is needed')
    },
  }
}

const MASTER = ',master'
