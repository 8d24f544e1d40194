import { Decoder, Encoder, type Packet as ParserPacket } from 'socket.io-parser'
import type { PacketSpan, PresenceEvent } from '../protocol/events.js'
import { textFrame } from './direct-frames.js'

/** Socket.IO's and Engine.IO's marks of an event in the main namespace. */
const MESSAGE = '4'
const EVENT = '2'

/**
 * A `presence` packet, encoded: events as JSON, and the span. Each event is encoded once, in however many packets it is: whoever is
 * not told what it did itself gets a packet of its own, put together from the same texts.
 */
export class Packet {
  /** The two arguments of the event as JSON, without brackets. */
  readonly json: string
  #frame: Buffer | null = null

  constructor(events: readonly string[], span: PacketSpan) {
    this.json = `[${events.join(',')}],${JSON.stringify(span)}`
  }

  /** As Socket.IO's parser would encode it. */
  get text(): string {
    return `${EVENT}["presence",${this.json}]`
  }

  /** As a WebSocket frame. */
  get frame(): Buffer {
    return (this.#frame ??= textFrame(MESSAGE + this.text))
  }
}

export function encodeEvent(event: PresenceEvent): string {
  return JSON.stringify(event)
}

/** Socket.IO's own encoder, which takes a {@link Packet} as it is. */
class PacketEncoder extends Encoder {
  override encode(packet: ParserPacket): unknown[] {
    const data: unknown = packet.data
    const first: unknown = Array.isArray(data) ? data[1] : undefined
    return first instanceof Packet ? [first.text] : super.encode(packet)
  }
}

/** For Socket.IO's option `parser`. */
export const parser = { Encoder: PacketEncoder, Decoder }
