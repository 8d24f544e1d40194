import type { SubscribeRequest } from '../protocol/requests.js'

/** Bytes of one `resume`, well below what a node takes as one message (`messageBytes`). */
const MESSAGE_BYTES = 262_144

const encoder = new TextEncoder()

export interface Part<Item> {
  readonly item: Item
  readonly request: SubscribeRequest
}

/**
 * Cuts what is to be resumed into messages: one, unless states make it too large. Requests are made when their message
 * is about to be sent.
 */
export function* inMessages<Item>(items: readonly Item[], requestOf: (item: Item) => SubscribeRequest, bytes = MESSAGE_BYTES): Generator<readonly Part<Item>[]> {
  let message: Part<Item>[] = []
  let size = 0
  for (const item of items) {
    const request = requestOf(item)
    const more = encoder.encode(JSON.stringify(request)).length
    if (message.length > 0 && size + more > bytes) {
      yield message
      message = []
      size = 0
    }
    message.push({ item, request })
    size += more
  }
  if (message.length > 0) yield message
}
