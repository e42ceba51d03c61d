import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Sessions } from '../../../src/upstream/sessions.ts'

const HOUR_MS = 3_600_000
const [first, second] = [Buffer.from('first'), Buffer.from('second')]

test('the latest session is taken, for an hour from the last whole handshake on', () => {
  let now = 5
  const sessions = new Sessions(() => now)
  assert.equal(sessions.take(), undefined)
  sessions.keep(first, false)
  now += HOUR_MS - 1
  assert.equal(sessions.take(), first)
  sessions.keep(second, true)
  assert.equal(sessions.take(), second)
  now += 1
  assert.equal(sessions.take(), undefined, 'however often it was renewed')
})

test('what has been forgotten does not come back with a connection that began with it', () => {
  const sessions = new Sessions(() => 0)
  sessions.keep(first, false)
  sessions.forget()
  sessions.keep(second, true)
  assert.equal(sessions.take(), undefined)
  sessions.keep(second, false)
  assert.equal(sessions.take(), second)
})
