import { expect, test } from '@jest/globals'
import fc from 'fast-check'

import { MultiMap } from '../../src/presence/multi-map.js'

const VALUES = Array.from({ length: 4 }, (_, number) => ({ number }))

test('holds what a map of sets would hold', () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b'), value: fc.constantFrom(...VALUES), isDelete: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const [map, model] = [new MultiMap<(typeof VALUES)[number]>(), new Map<string, Set<unknown>>([['a', new Set()], ['b', new Set()]])]
      for (const { key, value, isDelete } of steps) {
        if (isDelete) map.delete(key, value)
        else map.add(key, value)
        if (isDelete) model.get(key)?.delete(value)
        else model.get(key)?.add(value)
        for (const [name, there] of model) expect(new Set(map.of(name))).toEqual(there)
        expect(new Set(map.keys())).toEqual(new Set([...model].flatMap(([name, there]) => (there.size > 0 ? [name] : []))))
      }
    }),
  )
})
