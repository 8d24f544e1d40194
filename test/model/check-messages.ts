import type { Breach, Invariant } from './evidence.js'
import type { HeardMessage, Hearer, SentMessage, TalkEvidence, TalkRules } from './talk.js'

/** Rows of a log that a message shows. */
const ROWS = 40

/**
 * Messages (`docs/reliability.md`):
 *
 * - M1: one that was said to be received has reached a session of the user whom it was for. Whatever Redis loses.
 * - M2: no client gets one twice. The SDK leaves what it has had, whatever Redis loses; at a client without it nothing comes twice over one
 *   connection, and there a loss of data is an excuse: what was acknowledged is acknowledged no more.
 * - M3: of one session of a sender they come in the order in which they were sent, at each session of the user.
 * - M4: one that waits comes in the end to a user who is there, and whatever came to one session comes to all that were there before and are there still. What
 *   Redis loses is lost.
 * - M5: each is what somebody sent to this user.
 */
export function checkMessages({ hearers, sent }: TalkEvidence, { lostUntil }: TalkRules): readonly Breach[] {
  const order = new Map(sent.map((message, index) => [message.text, { message, index }] as const))
  const breaches: Breach[] = []
  for (const hearer of hearers) {
    const say = (invariant: Invariant, what: string, from: string) => breaches.push({ invariant, where: `messages of ${from}, as ${hearer.name} sees them`, what, log: logOf(hearer, from) })
    checkTwice(hearer, lostUntil > -Infinity, say)
    const last = new Map<string, number>()
    for (const { from, text, session, connection } of hearer.messages) {
      const known = order.get(text)
      if (known?.message.from !== from || known.message.to !== hearer.user) {
        say('M5', `nobody has sent ${hearer.user} this: ${JSON.stringify(text)}`, from)
        continue
      }
      const { message, index } = known
      const stream = `${message.by} ${message.session} ${hearer.isPlain ? connection : session}`
      const before = last.get(stream) ?? -1
      if (index < before) say('M3', `${JSON.stringify(text)} comes after ${JSON.stringify(sent[before]?.text)}, and was sent before it`, from)
      last.set(stream, Math.max(index, before))
    }
  }
  return [...breaches, ...checkArrival(hearers, sent, lostUntil)]
}

/** Of those that were sent to this user; each is to be somewhere. */
function checkArrival(hearers: readonly Hearer[], sent: readonly SentMessage[], lostUntil: number): readonly Breach[] {
  const had = new Map(hearers.map((hearer) => [hearer, new Set(hearer.messages.map(({ text }) => text))] as const))
  return sent.flatMap((message): Breach[] => {
    const { by, from, to, text, waits, received, asked } = message
    const theirs = hearers.filter(({ user }) => user === to)
    const reached = theirs.filter((hearer) => had.get(hearer)?.has(text) === true)
    const told = `${JSON.stringify(text)} from ${by}, ${waits ? 'which waits' : 'which does not wait'}, received: ${String(received)}`
    const say = (invariant: Invariant, where: string, what: string): Breach => ({ invariant, where: `messages to ${to}${where}`, what, log: theirs.map((hearer) => logOf(hearer, from)).join('\n') })
    if (received === true && reached.length === 0) return [say('M1', '', `${told}: it has reached nobody`)]
    if (asked <= lostUntil) return []
    if (waits && received !== undefined && reached.length === 0 && theirs.some(({ connectedSince }) => connectedSince < Infinity)) return [say('M4', '', `${told}: it has not come`)]
    if (received !== true && reached.length === 0) return []
    // A session that has been there since before, and is there.
    const missed = theirs.filter((hearer) => !reached.includes(hearer) && hearer.sessionSince < asked && hearer.connectedSince < Infinity)
    return missed.map(({ name }) => say('M4', `, as ${name} sees them`, `${told}: another session has it, and this one has not`))
  })
}

function checkTwice(hearer: Hearer, isExcused: boolean, say: (invariant: Invariant, what: string, from: string) => void): void {
  const seen = new Map<string, HeardMessage>()
  for (const message of hearer.messages) {
    const { id, text, from, connection } = message
    for (const key of [`id ${id}`, `text ${text}`]) {
      const before = seen.get(key)
      seen.set(key, message)
      if (before === undefined || (hearer.isPlain && (before.connection !== connection || isExcused))) continue
      say('M2', `${JSON.stringify(text)} comes twice, as ${before.id} and as ${id}`, from)
      break
    }
  }
}

function logOf({ name, messages }: Hearer, from: string): string {
  const rows = messages.filter((message) => message.from === from).slice(-ROWS)
  return [`${name} was sent by ${from}:`, ...rows.map(({ at, session, connection, id, text }) => `  ${at} session ${session}, connection ${connection}: ${id} ${JSON.stringify(text)}`)].join('\n')
}
