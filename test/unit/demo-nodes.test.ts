import { describe, expect, test } from '@jest/globals'

import { countNodes, NODE_COLOURS } from '../../src/demo/nodes.js'

function members(nodes: readonly (string | undefined)[]) {
  return new Map(nodes.map((node, at) => [`u${at}`, { userId: `u${at}`, joinedAt: at, states: node === undefined ? {} : { node } }]))
}

describe('people a node', () => {
  test('are counted, in the order of the ids; who says nothing is in no count', () => {
    const shares = countNodes(members(['b', 'a', undefined, 'b']))
    expect(shares.map(({ nodeId, people }) => [nodeId, people])).toEqual([['a', 1], ['b', 2]])
  })

  test('as long as there are colours, no two nodes share one', () => {
    const ids = Array.from({ length: NODE_COLOURS }, (_, at) => `node-${at}`)
    expect(new Set(countNodes(members(ids)).map(({ colour }) => colour)).size).toBe(NODE_COLOURS)
  })

  test('more nodes than colours are no trouble', () => {
    const shares = countNodes(members(Array.from({ length: 50 }, (_, at) => `node-${at}`)))
    expect(shares).toHaveLength(50)
    for (const { colour } of shares) expect(colour).toBeLessThan(NODE_COLOURS)
  })
})
