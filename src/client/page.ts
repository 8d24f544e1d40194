/** Calls back when the page is being closed or left; does nothing where there are no pages. */
export function onPageHide(hidden: () => void): () => void {
  const page = globalThis as Partial<Pick<Window, 'document' | 'addEventListener' | 'removeEventListener'>>
  if (page.document === undefined || typeof page.addEventListener !== 'function') return () => undefined
  page.addEventListener('pagehide', hidden)
  return () => page.removeEventListener?.('pagehide', hidden)
}
