import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionClock } from '../../../src/http2/connection-clock.ts'

/** A clock, and which of its times it has asked for since the last look. */
function watched(): { clock: ConnectionClock; asked: () => string } {
  let asked: string[] = []
  const clock = new ConnectionClock(
    {
      get headTimeoutMs() {
        asked.push('head')
        return 600_000
      },
      get keepAliveTimeoutMs() {
        asked.push('idle')
        return 600_000
      },
    },
    () => {},
  )
  return {
    clock,
    asked() {
      const told = asked.join(' ')
      asked = []
      return told
    },
  }
}

test('each head has its own time, though no read ends between two of them', (t) => {
  const { clock, asked } = watched()
  t.after(() => clock.close())
  clock.watch(1, true)
  clock.busy()
  asked()
  clock.watch(2, false)
  assert.equal(asked(), 'head')
  clock.watch(2, false)
  assert.equal(asked(), '', 'the same one goes on')
  clock.watch(3, false)
  assert.equal(asked(), 'head')
})

test('frames in pieces, none of which opens a stream, make no connection less idle', (t) => {
  const { clock, asked } = watched()
  t.after(() => clock.close())
  clock.watch(1, true)
  clock.watch(0, true)
  assert.equal(asked(), 'head idle', 'the beginning of a connection')
  clock.watch(2, true)
  assert.equal(asked(), 'head')
  clock.watch(3, true)
  assert.equal(asked(), '', 'whatever follows it shares its time')
  clock.watch(0, true)
  assert.equal(asked(), '', 'the rest of the time, and not all of it')
  clock.busy()
  clock.idle()
  assert.equal(asked(), 'idle', 'after a stream it has all of it')
})
