import type { States } from '../client/index.js'
import { recall, remember } from './tab-memory.js'

/** What a person says about themselves here; each field is a key of their temporary state. */
export interface Profile {
  readonly mood: string
  readonly mic: boolean
  readonly signature: string
  readonly score: number
}

export const MOODS = [
  ['🙂', 'fine'],
  ['😄', 'happy'],
  ['🤔', 'thinking'],
  ['😴', 'sleepy'],
  ['🔥', 'on fire'],
  ['🎧', 'listening'],
  ['☕', 'coffee break'],
  ['🚀', 'taking off'],
] as const

const MOST_LETTERS = 120
const graphemes = new Intl.Segmenter()

export function profileStates(profile: Profile): States {
  return {
    mood: profile.mood,
    mic: profile.mic ? 'on' : 'off',
    signature: profile.signature,
    score: String(profile.score),
  }
}

/** Anybody can write anything into their state; what cannot be read falls back. */
export function profileOf(states: States): Profile {
  const score = Number(states.score ?? 0)
  return {
    mood: firstGrapheme(states.mood ?? ''),
    mic: states.mic === 'on',
    signature: excerpt(states.signature ?? ''),
    score: Number.isSafeInteger(score) ? score : 0,
  }
}

/** As much of a text as a card has room for. */
export function excerpt(text: string): string {
  return text.length <= MOST_LETTERS ? text : `${text.slice(0, MOST_LETTERS)}…`
}

export function recallProfile(): Profile {
  const fresh: Profile = { mood: MOODS[0][0], mic: false, signature: '', score: 0 }
  const text = recall('profile')
  if (text === null) return fresh
  try {
    const known: unknown = JSON.parse(text)
    if (typeof known !== 'object' || known === null) return fresh
    const strings = Object.entries(known).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    return profileOf({ ...profileStates(fresh), ...Object.fromEntries(strings) })
  } catch {
    return fresh
  }
}

export function rememberProfile(profile: Profile): void {
  remember('profile', JSON.stringify(profileStates(profile)))
}

/** One face, however many code points it is made of. */
function firstGrapheme(text: string): string {
  for (const { segment } of graphemes.segment(text.slice(0, 32))) return segment
  return ''
}
