/**
 * What this tab remembers over a reload. Each tab has its own, so two tabs are two people. A browser may refuse storage;
 * then the tab just forgets.
 */
const PREFIX = 'rollcall.demo.'

export function recall(key: string): string | null {
  try {
    return sessionStorage.getItem(PREFIX + key)
  } catch {
    return null
  }
}

export function remember(key: string, value: string): void {
  try {
    sessionStorage.setItem(PREFIX + key, value)
  } catch {
    // Without storage the page works all the same, until it is reloaded.
  }
}

export function forget(key: string): void {
  try {
    sessionStorage.removeItem(PREFIX + key)
  } catch {
    // As above.
  }
}
