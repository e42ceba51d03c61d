import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TicketKeys } from '../../../src/runtime/session-tickets.ts'

const DAY_MS = 86_400_000

function keysOf(secret: string, start = 0) {
  let now = start
  const keys = new TicketKeys(Buffer.alloc(32, secret), () => now)
  return {
    keys,
    at(ms: number) {
      now = ms
      return keys.present()
    },
  }
}

test('whoever has the same secret has the same key of the day, and nobody else', () => {
  const [one, two, other] = [keysOf('a'), keysOf('a', DAY_MS - 1), keysOf('b')]
  assert.deepEqual(one.keys.present(), two.keys.present())
  assert.equal(other.keys.find(one.keys.present().name), undefined)
  const { name, hmac, aes } = one.keys.present()
  assert.deepEqual([name.length, hmac.length, aes.length], [16, 16, 16])
  assert.equal(new Set([name, hmac, aes].map((part) => part.toString('hex'))).size, 3)
})

test('the one ticket behind a resumed handshake can be left out', () => {
  const { keys } = keysOf('a')
  keys.leaveOutNext()
  assert.deepEqual([keys.isGiven(), keys.isGiven()], [false, true])
})

test('of two tickets behind a whole handshake one is left out, and of others none', () => {
  const { keys } = keysOf('a')
  const given = (n: number): boolean[] => Array.from({ length: n }, () => keys.isGiven())
  assert.deepEqual(given(2), [true, true])
  keys.leaveOutSecond()
  assert.deepEqual(given(4), [true, false, true, true])
  keys.leaveOutSecond()
  assert.deepEqual(given(1), [true])
  keys.leaveOutSecond()
  assert.deepEqual(given(3), [true, false, true])
})

test('the key of the day before is still found, and that of the day before it is not', () => {
  const { keys, at } = keysOf('a')
  const days = [0, 1, 2, 3].map((day) => at(day * DAY_MS))
  at(2 * DAY_MS + 5)
  assert.deepEqual(
    days.map(({ name }) => keys.find(name) !== undefined),
    [false, true, true, true],
  )
  assert.deepEqual(keys.find(days[1]!.name), days[1])
})
