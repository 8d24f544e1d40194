import { friendlyName } from './names.js'
import { readToken } from './token-claims.js'
import { forget, recall, remember } from './tab-memory.js'

/** Who enters which room. */
export interface Settings {
  readonly appId: string
  readonly room: string
  readonly userId: string
  /** The name was drawn by chance just now; it may have been somebody else's before. */
  readonly isNewName: boolean
  readonly token: string | null
}

/**
 * Reads `?room=`, `?user=` and `?app=`; what is not said there comes from the token, then from this tab's memory, and
 * at last from chance.
 */
export function readSettings(search: string): Settings {
  const query = new URLSearchParams(search)
  const said = (key: string): string | null => {
    const value = query.get(key)?.trim().normalize('NFC') ?? ''
    return value === '' ? null : value
  }
  const token = recall('token')
  const claims = token === null ? null : readToken(token)
  const known = said('user') ?? claims?.userId ?? recall('user')
  const userId = known ?? friendlyName()
  if (said('user') === null) remember('user', userId)
  return {
    appId: said('app') ?? claims?.appId ?? 'dev',
    room: said('room') ?? 'lobby',
    userId,
    isNewName: known === null,
    token,
  }
}

/** The address of this room for somebody else: another tab gets a name of its own. */
export function roomAddress(room: string, appId: string): string {
  const query = new URLSearchParams({ room })
  if (appId !== 'dev') query.set('app', appId)
  return `/demo?${query}`
}

/** The address of this person in another window, at the friends. */
export function friendsAddress(room: string, appId: string, userId: string): string {
  return `${roomAddress(room, appId)}&${new URLSearchParams({ user: userId })}#friends`
}

/** Starts again with a token: the user is whoever it names. */
export function enterWithToken(token: string, room: string): void {
  remember('token', token)
  forget('user')
  location.assign(`/demo?${new URLSearchParams({ room })}`)
}
