import type { StatusFields, StatusNotice } from '../../client/index.js'

/** What a person says of themselves; `gone` is said by the cluster, when their last session has ended. */
export type Standing = 'here' | 'away' | 'gone'

/** A standing that one can choose, with a few words. */
export interface OwnStatus {
  readonly standing: Exclude<Standing, 'gone'>
  readonly words: string
}

/** The numbers of `show` are an application's own; these are this page's. */
const SHOW = { here: 0, away: 1 } as const

/** `subStatus`, by custom: whoever asks is answered, and an answer is not (`001.6`). */
export const ASKS = 1
export const ANSWERS = 2

export function fieldsOf({ standing, words }: OwnStatus): StatusFields {
  return { show: SHOW[standing], status: words }
}

export function standingOf({ offline, show }: StatusNotice): Standing {
  if (offline === true) return 'gone'
  return show === SHOW.away ? 'away' : 'here'
}
