/** Whom a token names. Nothing is verified here: that is the node's business. */
export interface TokenClaims {
  readonly userId: string
  readonly appId: string | null
}

/** Reads the claims of a JWT; `null` for anything that does not look like one. */
export function readToken(token: string): TokenClaims | null {
  const payload = token.split('.')[1]
  if (payload === undefined) return null
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0))
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (typeof claims !== 'object' || claims === null || !('sub' in claims) || typeof claims.sub !== 'string') return null
    return { userId: claims.sub, appId: 'app' in claims && typeof claims.app === 'string' ? claims.app : null }
  } catch {
    return null
  }
}
