import { backoffMs, pause } from './backoff.js'

/** A token has 30 s left when its renewal begins (`000`). */
const TRIES = 4
const FIRST_RETRY_ATTEMPT = 3

/**
 * Gets and hands in a new token, a few times if need be. When it does not succeed, the old token runs out, which the app
 * is told by event; nothing is rejected here.
 */
export async function renewInBackground(renew: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; attempt < TRIES && !signal.aborted; attempt++) {
    try {
      await renew()
      return
    } catch {
      await pause(backoffMs(FIRST_RETRY_ATTEMPT + attempt), signal).catch(() => undefined)
    }
  }
}
