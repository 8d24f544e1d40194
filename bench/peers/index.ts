import { naive } from './naive.js'
import { rollcall, rollcallDirect } from './rollcall.js'
import { soketi } from './soketi.js'
import { socketIo, ws } from './transport.js'
import type { MessagePeer, Peer, PeerName, RosterPeer, TransportPeer } from './types.js'

const ROSTER_PEERS: readonly RosterPeer[] = [rollcall, rollcallDirect, naive, soketi]
const MESSAGE_PEERS: readonly MessagePeer[] = [rollcall, naive]
const TRANSPORT_PEERS: readonly TransportPeer[] = [ws, socketIo]
const PEERS: readonly Peer[] = [...ROSTER_PEERS, ...TRANSPORT_PEERS]

export function peerNamed(name: PeerName): Peer {
  return found(PEERS, name)
}

/** One that knows who is in a channel. */
export function rosterPeer(name: PeerName): RosterPeer {
  return found(ROSTER_PEERS, name)
}

/** One that carries messages. */
export function messagePeer(name: PeerName): MessagePeer {
  return found(MESSAGE_PEERS, name)
}

/** One that only hands on. */
export function transportPeer(name: PeerName): TransportPeer {
  return found(TRANSPORT_PEERS, name)
}

function found<P extends Peer>(peers: readonly P[], name: PeerName): P {
  const peer = peers.find((one) => one.name === name)
  if (peer === undefined) throw new Error(`${name} does not do that`)
  return peer
}
