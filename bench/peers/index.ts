import { naive } from './naive.js'
import { rollcall } from './rollcall.js'
import { soketi } from './soketi.js'
import type { Peer, PeerName, RosterPeer } from './types.js'

const ROSTER_PEERS: readonly RosterPeer[] = [rollcall, naive, soketi]
const PEERS: readonly Peer[] = [...ROSTER_PEERS]

export function peerNamed(name: PeerName): Peer {
  return found(PEERS, name)
}

/** One that knows who is in a channel. */
export function rosterPeer(name: PeerName): RosterPeer {
  return found(ROSTER_PEERS, name)
}

function found<P extends Peer>(peers: readonly P[], name: PeerName): P {
  const peer = peers.find((one) => one.name === name)
  if (peer === undefined) throw new Error(`${name} does not do that`)
  return peer
}
