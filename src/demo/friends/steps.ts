/** The things to try, in the order in which they make sense. */
export const STEPS = [
  ['friends', 'Make friends'],
  ['status', 'Say how you are'],
  ['message', 'Write'],
  ['call', 'Call'],
  ['later', 'Leave a message'],
] as const

export type Step = (typeof STEPS)[number][0]

/** How far the two people of the page are. */
export interface Scene {
  readonly companion: string
  readonly isSignedIn: boolean
  /** Who has asked the other one, when they are not friends yet. */
  readonly asked: 'you' | 'companion' | null
  /** Something has been written while the companion was gone. */
  readonly isKept: boolean
  readonly isRinging: boolean
}

/** What to do next, in one sentence. */
export function hintOf(done: ReadonlySet<Step>, scene: Scene): string {
  const next = STEPS.find(([step]) => !done.has(step))?.[0]
  const { companion, isSignedIn, asked, isKept, isRinging } = scene
  // Most of it needs two people.
  if (!isSignedIn && next !== 'later' && next !== undefined) return `Log ${companion} in again.`
  switch (next) {
    case 'friends':
      if (asked === 'you') return `${companion} has your request: accept it on their side.`
      if (asked === 'companion') return `${companion} asks you: accept it on your side.`
      return `On your side, press “Befriend” next to ${companion}.`
    case 'status':
      return 'Set one of the two to “Away”, or write a few words: the other one sees it.'
    case 'message':
      return 'Write a line to the other one. Below it stands whether it was received.'
    case 'call':
      return isRinging ? 'It rings on all devices of whom you call: accept it on one of them.' : 'Press “Call”: it rings on the other side.'
    case 'later':
      if (isSignedIn) return `Log ${companion} out: your side says so at once. Then write to them.`
      return isKept ? `Log ${companion} in again: what was kept arrives.` : `Write to ${companion}: it is kept for the next login.`
    case undefined:
      return 'That is all of it, and it is the same between two windows, or two nodes.'
  }
}
