import type { States } from '../../src/protocol/channel.js'
import { sameStates } from '../../src/replica/replica.js'
import type { Breach, Evidence, Invariant, Published } from './evidence.js'
import { statesAgree } from './presence-model.js'

/** Who vouches for nobody: sessions that are due. */
const DUE = ['-', '~']

/**
 * Compares the clients that are really there with Redis, Redis with every node's feed and every watcher's view: I1, and
 * what stands behind it (I2: who should be gone; I3: who should be there; I6: who vouches).
 */
export function checkWorld(evidence: Evidence, views: ReadonlyMap<Evidence['watched'][number], ReadonlyMap<string, States>>, unjudged: ReadonlySet<string> = new Set()): readonly Breach[] {
  const breaches: Breach[] = []
  const say = (invariant: Invariant, where: string, what: string) => breaches.push({ invariant, where, what })
  const { model, at } = evidence

  for (const channel of model.channels) {
    const stored = evidence.stored.get(channel) ?? new Map<string, never>()
    const present = model.present(channel, at)
    for (const user of stored.keys()) if (!present.includes(user)) say('I2', `${channel} in Redis`, `${user} is there, and should be gone`)
    for (const user of present) {
      const member = stored.get(user)
      if (member === undefined) {
        say('I3', `${channel} in Redis`, `${user} is connected, and is not there`)
        continue
      }
      const sure = model.states(channel, user, at)
      if (!unjudged.has(user) && !statesAgree(sure, member.states)) {
        say('I1', `${channel} in Redis`, `${user} has ${JSON.stringify(member.states)}, and ${JSON.stringify([...sure])} was acknowledged`)
      }
      checkHolders(evidence, channel, user, member.holders, say)
    }
    const truth = new Map([...stored].map(([user, { states }]) => [user, states]))
    for (const { by, channel: told, members } of evidence.feeds) if (told === channel) compare(`${channel}, as ${by} has it`, truth, members, '', say)
    for (const [watched, folded] of views) {
      if (watched.channel !== channel || !watched.current) continue
      // A plain client is not told of itself.
      compare(`${channel}, as ${watched.name} sees it`, truth, watched.view ?? folded, watched.view === undefined ? watched.user : '', say)
    }
  }
  checkSessions(evidence, say)
  return breaches
}

type Say = (invariant: Invariant, where: string, what: string) => void

function compare(where: string, truth: ReadonlyMap<string, States>, seen: ReadonlyMap<string, States>, without: string, say: Say): void {
  for (const [user, states] of truth) {
    const view = seen.get(user)
    if (user === without) continue
    if (view === undefined) say('I1', where, `${user} is missing`)
    else if (!sameStates(states, view)) say('I1', where, `${user} has ${JSON.stringify(view)}, in Redis ${JSON.stringify(states)}`)
  }
  for (const user of seen.keys()) if (user !== without && !truth.has(user)) say('I1', where, `${user} is there, and not in Redis`)
}

/** Whoever is connected is vouched for by the node that it is connected to, once; and by no other. */
function checkHolders({ model, at, connected }: Evidence, channel: string, user: string, holders: readonly string[], say: Say): void {
  const sessions = model.sessionsIn(channel, user, at).filter((session) => model.connected(session))
  const should = sessions.flatMap((session) => connected.filter((client) => client.session === session).map(({ nodeId }) => nodeId))
  const vouching = holders.filter((holder) => !DUE.includes(holder))
  for (const holder of new Set([...should, ...vouching])) {
    const [is, ought] = [vouching, should].map((list) => list.filter((each) => each === holder).length) as [number, number]
    if (is > ought) say('I6', `${channel} in Redis`, `node ${holder} vouches for ${is} sessions of ${user}, and has ${ought}`)
    if (is < ought) say('I1', `${channel} in Redis`, `node ${holder} vouches for ${is} sessions of ${user}, and has ${ought}`)
  }
}

/** The USER channels and `where` are written beside the channels: they have to say the same. */
function checkSessions({ model, at, connected, sessions, where, due }: Evidence, say: Say): void {
  const users = new Set(model.channels.flatMap((channel) => model.users(channel)))
  for (const user of users) {
    const channels = model.channels.filter((channel) => model.present(channel, at).includes(user)).map((channel) => `MESSAGE:${channel}`)
    // The internal USER channel of a user is not among them.
    const listed = (where.get(user) ?? []).filter((channel) => !channel.startsWith('USER:'))
    if (listed.join() !== channels.sort().join()) say('I1', `where:${user} in Redis`, `it lists ${listed.join() || 'nothing'} instead of ${channels.join() || 'nothing'}`)
    const ids = connected.filter((client) => client.user === user).map(({ sessionId }) => sessionId)
    for (const id of sessions.get(user) ?? []) if (!ids.includes(id)) say('I2', `USER:${user} in Redis`, `session ${id} is there, and its client is not`)
    for (const id of ids) if (!(sessions.get(user) ?? []).includes(id)) say('I3', `USER:${user} in Redis`, `session ${id} is connected, and is not there`)
  }
  if (due > 0) say('I2', 'due in Redis', `${due} memberships wait for a deadline, and nobody is away`)
}

/** As each server of Redis published it: each end once, versions that rise, each packet on the one before (I5, I7). */
export function checkPublished(published: readonly Published[]): readonly Breach[] {
  const breaches: Breach[] = []
  const stands = new Map<string, { life: string; version: number; gone: Set<string> }>()
  for (const { server, channel, life, changes, previous } of published) {
    const stream = `${server} ${channel}`
    const before = stands.get(stream)
    const stand = before?.life === life ? before : { life, version: 0, gone: new Set<string>() }
    stands.set(stream, stand)
    const say = (invariant: Invariant, what: string) => breaches.push({ invariant, where: `${channel}, as Redis (:${server}) published it`, what })
    if (previous > stand.version && stand.version > 0) stand.gone.clear()
    for (const { kind, version, user } of changes) {
      if (version <= stand.version) say('I5', `version ${version} comes after ${stand.version}: ${kind} ${user}`)
      stand.version = version
      if (kind === 'leave' || kind === 'timeout') {
        if (stand.gone.has(user)) say('I7', `${user} is removed twice: ${kind} @${version}`)
        stand.gone.add(user)
      } else {
        stand.gone.delete(user)
      }
    }
  }
  return breaches
}
