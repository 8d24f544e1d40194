import type { Feed } from '../feeds/types.js'
import type { PacketSpan } from '../protocol/events.js'
import type { Effect } from '../replica/replica.js'
import { IntervalNet, netOf } from './interval.js'
import { Packet } from './packet.js'
import { announce, intervalPacket, isOwn, refOf, type Announcement } from './presence-events.js'
import type { Outlet, Watcher, Watchers } from './watchers.js'

/** What of the node's metrics the fan-out counts. */
export type FanoutMetrics = Readonly<Record<'packets' | 'events' | 'snapshots' | 'skipped', { inc(by?: number): void }>>

/** Whom the changes of a channel are told to, and through what. */
export interface Telling {
  readonly feed: Feed
  readonly live: Watchers
  readonly outlet: Outlet
  readonly metrics: FanoutMetrics
}

/** What happened since the room was told last. */
export interface Stretch {
  /** Where the room stands. */
  readonly previous: number
  /** Where everybody stands afterwards. */
  readonly version: number
  readonly effects: readonly Effect[]
}

/** Tells the room change by change; all live watchers are in it. */
export function tellSingly({ feed, live, outlet, metrics }: Telling, { previous, version, effects }: Stretch): void {
  if (live.size === 0) return
  const span = spanOf(feed, previous, version)
  const announcements = announce(refOf(feed.channel), span.life, previous, effects)
  const apart = new Set<Watcher>()
  for (const effect of effects) {
    for (const watcher of live.inRoom(effect.member.userId)) if (isOwn(effect, watcher)) apart.add(watcher)
  }
  const events = announcements.flatMap((announcement) => announcement.events)
  if (apart.size < live.size) live.tellRoom([...apart].map(({ id }) => id), new Packet(events, span))
  for (const watcher of apart) outlet.toSockets([watcher.id], new Packet(eventsFor(watcher, announcements), span))
  metrics.packets.inc(live.size)
  metrics.events.inc(events.length * live.size)
}

/** A packet on its way: to all in the room but some, or to those who are named. */
interface Delivery {
  readonly to: readonly string[] | 'room'
  readonly except: readonly string[]
  readonly receivers: number
  /** An `IntervalInfo`, encoded. */
  readonly interval: string | null
  readonly span: PacketSpan
}

/**
 * Tells everybody the net since it was told last: the room, and those who are ahead of it, each from where it stands.
 * Where nobody has anything to be told, nothing is sent and all stand where they stood, unless `evenIfEmpty`: false then.
 */
export function tellNet(telling: Telling, { previous, version, effects }: Stretch, { evenIfEmpty }: { readonly evenIfEmpty: boolean }): boolean {
  const { live, outlet, metrics } = telling
  const at = timeOf(effects)
  const send = ({ to, except, interval, span, receivers }: Delivery): void => {
    const packet = intervalPacket(span, interval, at)
    if (to === 'room') live.tellRoom(except, packet)
    else outlet.toSockets(to, packet)
    metrics.packets.inc(receivers)
    if (interval !== null) metrics.events.inc(receivers)
  }
  let told = evenIfEmpty
  // Those who have nothing to be told are only moved on, and only if somebody is told something.
  const untold: Delivery[] = []
  for (const delivery of deliveries(telling, previous, version, effects)) {
    if (delivery.interval === null) untold.push(delivery)
    else {
      told = true
      send(delivery)
    }
  }
  if (!told) return false
  for (const delivery of untold) send(delivery)
  live.gather()
  return true
}

function* deliveries({ feed, live }: Telling, previous: number, version: number, effects: readonly Effect[]): Generator<Delivery> {
  const occupancy = feed.replica.members.size
  const net = new IntervalNet()
  let next = effects.length
  const reachBackTo = (position: number): void => {
    for (let effect = effects[next - 1]; effect !== undefined && effect.version > position; effect = effects[next - 1]) {
      net.precede(effect)
      next--
    }
  }
  const own = (watcher: Watcher, span: PacketSpan): Delivery => ({ to: [watcher.id], except: [], receivers: 1, interval: net.summary(occupancy, watcher), span })

  for (const { position, watchers } of live.early()) {
    // They came after the last change.
    if (position === version) continue
    reachBackTo(position)
    const span = spanOf(feed, position, version)
    const [apart, others] = [watchers.filter((watcher) => net.isApart(watcher)), watchers.filter((watcher) => !net.isApart(watcher))]
    for (const watcher of apart) yield own(watcher, span)
    if (others.length > 0) yield { to: others.map(({ id }) => id), except: [], receivers: others.length, interval: net.summary(occupancy), span }
  }

  reachBackTo(previous)
  const span = spanOf(feed, previous, version)
  const apart = [...net.userIds].flatMap((userId) => live.inRoom(userId).filter((watcher) => net.isApart(watcher)))
  for (const watcher of apart) yield own(watcher, span)
  const receivers = live.size - live.ahead - apart.length
  if (receivers > 0) yield { to: 'room', except: apart.map(({ id }) => id), receivers, interval: net.summary(occupancy), span }
}

/** Tells one watcher what it missed while it was away, in the way that the channel is told of now. */
export function tellMissed({ feed, outlet }: Telling, watcher: Watcher, { previous, version, effects }: Stretch, { summed }: { readonly summed: boolean }): void {
  const span = spanOf(feed, previous, version)
  const packet = summed
    ? intervalPacket(span, netOf(effects).summary(feed.replica.members.size, watcher), timeOf(effects))
    : new Packet(eventsFor(watcher, announce(refOf(feed.channel), span.life, previous, effects)), span)
  outlet.toSockets([watcher.id], packet)
}

/** One watcher's own version of a packet's events; there may be none left, but its position moves. */
function eventsFor(watcher: Watcher, announcements: readonly Announcement[]): string[] {
  return announcements.filter(({ effect }) => !isOwn(effect, watcher)).flatMap(({ events }) => events)
}

function spanOf({ channel, replica }: Feed, previous: number, version: number): PacketSpan {
  return { ...refOf(channel), life: replica.life, previous, version }
}

/** When the last of these happened. Without any nothing is told that could say it. */
function timeOf(effects: readonly Effect[]): number {
  return effects.at(-1)?.at ?? 0
}
