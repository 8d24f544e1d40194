import { hashOf } from './names.js'
import type { Member } from '../client/index.js'

/** One node of the cluster, as the people in the room say it: which node serves whom is part of their state. */
export interface NodeShare {
  readonly nodeId: string
  readonly people: number
  /** 0 to {@link NODE_COLOURS} - 1; the same in every tab that sees the same nodes. */
  readonly colour: number
}

export const NODE_COLOURS = 8

/** Counts people a node. Ordered by id, so that the bar does not dance when the counts change. */
export function countNodes(members: ReadonlyMap<string, Member>): NodeShare[] {
  const counts = new Map<string, number>()
  for (const { states } of members.values()) {
    const nodeId = states.node
    if (nodeId !== undefined) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1)
  }
  const taken = new Set<number>()
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([nodeId, people]) => ({ nodeId, people, colour: freeColour(nodeId, taken) }))
}

/** Node ids are long and random; their beginnings tell them apart. */
export function shortNodeId(nodeId: string): string {
  return nodeId.length <= 12 ? nodeId : `${nodeId.slice(0, 6)}…`
}

function freeColour(nodeId: string, taken: Set<number>): number {
  let colour = hashOf(nodeId, NODE_COLOURS)
  if (taken.size < NODE_COLOURS) while (taken.has(colour)) colour = (colour + 1) % NODE_COLOURS
  taken.add(colour)
  return colour
}
