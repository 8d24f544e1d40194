/** Of members with their scores, in order: those up to a score, and the score of the one that follows. */
export function upTo(most: number, flat: readonly string[]): { readonly rows: readonly { readonly text: string; readonly at: number }[]; readonly next: number } {
  const rows: { text: string; at: number }[] = []
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const at = Number(flat[i + 1])
    if (at > most) return { rows, next: at }
    rows.push({ text: flat[i] ?? '', at })
  }
  return { rows, next: Infinity }
}

/** Keys or fields that one call of a SCAN looks at. */
export const SCAN_COUNT = 500

type Page = readonly [cursor: string, found: readonly string[]]

/** What a SCAN, HSCAN or SSCAN finds, call by call. */
export async function* pages(next: (cursor: string) => Promise<Page>): AsyncIterable<readonly string[]> {
  let cursor = '0'
  do {
    const [following, found] = await next(cursor)
    yield found
    cursor = following
  } while (cursor !== '0')
}

/** A place in the keys of all masters: which one, and where in its SCAN, whose cursors have 64 bits. */
export interface Place {
  readonly master: number
  readonly from: string
}

export function cursorOf({ master, from }: Place): string {
  return `${master}.${from}`
}

/** The reverse of {@link cursorOf}; `''` is the start, and what it cannot have made is null. */
export function parseCursor(cursor: string): Place | null {
  if (cursor === '') return { master: 0, from: '0' }
  const [, master, from] = /^(\d{1,4})\.(\d{1,20})$/.exec(cursor) ?? []
  return master === undefined || from === undefined || BigInt(from) >= 2n ** 64n ? null : { master: Number(master), from }
}
