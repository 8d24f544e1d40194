import { createHmac } from 'node:crypto'

export const SECRET = 'a secret for tests, of at least 32 bytes'

export interface Claims {
  readonly sub?: unknown
  readonly app?: unknown
  readonly exp?: unknown
  readonly channels?: unknown
  readonly [claim: string]: unknown
}

/** A JWT by hand, so that wrong ones can be made as easily as right ones: HS256 unless the header says otherwise. */
export function jwt(claims: Claims, secret = SECRET, header: Readonly<Record<string, unknown>> = { alg: 'HS256', typ: 'JWT' }): string {
  const signed = `${encode(header)}.${encode(claims)}`
  if (header.alg === 'none') return `${signed}.`
  return `${signed}.${createHmac(header.alg === 'HS512' ? 'sha512' : 'sha256', secret).update(signed).digest('base64url')}`
}

/** A right token for a user, for so many seconds from now on. */
export function tokenFor(user: string, { ttlS = 600, app = 'dev', channels }: { ttlS?: number; app?: string; channels?: unknown } = {}): string {
  return jwt({ sub: user, app, exp: Math.floor(Date.now() / 1000) + ttlS, ...(channels === undefined ? {} : { channels }) })
}

function encode(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
