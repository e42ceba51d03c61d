import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { inTurn } from '../../../src/upstream/in-turn.ts'

const order = (hosts: readonly string[], turn: number): string[] =>
  inTurn(
    hosts.map((host) => ({ host })),
    turn,
  ).map(({ host }) => host)

for (const [hosts, turns] of [
  [['1.1.1.1'], ['1.1.1.1', '1.1.1.1']],
  [
    ['1.1.1.1', '2.2.2.2', '3.3.3.3'],
    ['1.1.1.1 2.2.2.2 3.3.3.3', '2.2.2.2 3.3.3.3 1.1.1.1', '3.3.3.3 1.1.1.1 2.2.2.2'],
  ],
  [
    ['a::1', 'a::2', '1.1.1.1', '2.2.2.2'],
    ['a::1 a::2 1.1.1.1 2.2.2.2', 'a::2 a::1 2.2.2.2 1.1.1.1'],
  ],
  [
    ['1.1.1.1', 'a::1', '2.2.2.2'],
    ['1.1.1.1 a::1 2.2.2.2', '2.2.2.2 a::1 1.1.1.1'],
  ],
  [
    ['', '1.1.1.1'],
    [' 1.1.1.1', ' 1.1.1.1'],
  ],
] as const) {
  test(`${hosts.join(' ')} take turns, and families keep their places`, () => {
    for (const [turn, expected] of turns.entries()) assert.equal(order(hosts, turn).join(' '), expected)
  })
}

test('every order has every address once, and each comes first in its family as often', () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6())
  fc.assert(
    fc.property(fc.uniqueArray(host, { minLength: 1, maxLength: 6 }), fc.nat(1000), (hosts, turn) => {
      const orders = hosts.map((_, i) => order(hosts, turn + i))
      for (const each of orders) assert.deepEqual([...each].sort(), [...hosts].sort())
      for (const each of orders)
        assert.deepEqual(
          each.map((h) => h.includes(':')),
          hosts.map((h) => h.includes(':')),
        )
    }),
  )
})
