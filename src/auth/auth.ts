import { errors, jwtVerify, SignJWT, type JWTPayload } from 'jose'

import { RollcallError } from '../protocol/errors.js'
import { apiKeyCheck, type ApiKeyCheck } from './api-key.js'
import { appKeyCheck, type AppKeyCheck } from './app-key.js'
import { grant, parseChannelRules, UNLIMITED, type ChannelRule, type Grant } from './grant.js'

/** What of the configuration decides who is let in. */
export interface AuthConfig {
  readonly appId: string
  /** HS256 secret; null: development mode. */
  readonly secret: string | null
  readonly apiKey: string | null
  readonly production: boolean
}

export interface Auth extends ApiKeyCheck, AppKeyCheck {
  /** Whether a login needs a token. Without a secret none does, and one that is given is ignored. */
  readonly required: boolean
  /**
   * What a token allows its user. At login an `exp` up to 5 s ago is accepted, for clocks differ; later none.
   *
   * @throws RollcallError INVALID_TOKEN (missing, malformed, not HS256, a wrong signature, `sub`, `app` or `channels`) or
   * TOKEN_EXPIRED.
   */
  verify(token: unknown, expected: { readonly userId: string }, atLogin: boolean): Promise<Grant>
  /**
   * A token for a user, from now on for `ttlSeconds`; without `channels` it allows everything.
   *
   * @throws Error in development mode, which has no secret. RollcallError INVALID_TOKEN for malformed `channels`.
   */
  sign(userId: string, options: { readonly ttlSeconds: number; readonly channels?: readonly ChannelRule[] | undefined }): Promise<string>
}

const ALGORITHM = 'HS256'
const LOGIN_TOLERANCE_S = 5
/** Far above any real token, far below what would cost a node something to decode. */
const TOKEN_CHARACTERS = 16_384
/** The last instant that a Date can be, in seconds. */
const LAST_SECOND = 8_640_000_000_000

export function createAuth(config: AuthConfig): Auth {
  const { appId } = config
  const key = config.secret === null ? null : new TextEncoder().encode(config.secret)
  const apiKey = apiKeyCheck(config)

  return {
    ...apiKey,
    ...appKeyCheck(config, apiKey),
    required: key !== null,

    async verify(token, { userId }, atLogin) {
      if (key === null) return UNLIMITED
      if (typeof token !== 'string' || token === '') throw new RollcallError('INVALID_TOKEN', 'a token is needed')
      if (token.length > TOKEN_CHARACTERS) throw new RollcallError('INVALID_TOKEN', `a token has at most ${TOKEN_CHARACTERS} characters`)
      const payload = await verified(token, key, atLogin ? LOGIN_TOLERANCE_S : 0)
      if (payload.sub !== userId) throw new RollcallError('INVALID_TOKEN', 'the token is of another user')
      if (payload.app !== appId) throw new RollcallError('INVALID_TOKEN', 'the token is of another app')
      const expiresAt = expiryOf(payload)
      // What the tolerance let in is let stay as long, or it would be shown in and out again.
      const ends = atLogin && expiresAt <= Date.now() ? expiresAt + LOGIN_TOLERANCE_S * 1_000 : expiresAt
      return grant(ends, parseChannelRules(payload.channels))
    },

    async sign(userId, { ttlSeconds, channels }) {
      if (key === null) throw new Error('there is no secret to sign with: in development mode no login needs a token')
      const rules = parseChannelRules(channels)
      const now = Math.floor(Date.now() / 1_000)
      return new SignJWT({ app: appId, ...(rules === null ? {} : { channels: rules }) })
        .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
        .setSubject(userId)
        .setIssuedAt(now)
        .setExpirationTime(now + ttlSeconds)
        .sign(key)
    },
  }
}

async function verified(token: string, key: Uint8Array, clockTolerance: number): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, key, { algorithms: [ALGORITHM], clockTolerance, requiredClaims: ['exp', 'sub', 'app'] })
    return payload
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new RollcallError('TOKEN_EXPIRED', 'the token has expired', '', { cause: error })
    if (error instanceof errors.JOSEError) throw new RollcallError('INVALID_TOKEN', `the token is refused: ${error.message}`, '', { cause: error })
    // Some malformed tokens fail inside the decoders of the platform.
    throw new RollcallError('INVALID_TOKEN', 'the token is malformed', '', { cause: error })
  }
}

function expiryOf({ exp }: JWTPayload): number {
  if (exp === undefined || !(exp > 0 && exp <= LAST_SECOND)) throw new RollcallError('INVALID_TOKEN', 'the token\'s "exp" is out of range')
  return Math.floor(exp * 1_000)
}
