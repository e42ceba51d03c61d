import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { BindAddress } from '../../../src/config/snapshot.ts'
import { Place } from '../../../src/listener/place.ts'

const address = (host: string, port = 80): BindAddress => ({ host, port, text: `${host}:${port}` })
const ONE = address('127.0.0.1')
const ALL = address('0.0.0.0')

function bench(t: TestContext) {
  const taken = new Set<string>()
  const seen: string[] = []
  const place = new Place(
    {
      async bind({ text }) {
        seen.push(`bind ${text}`)
        return taken.has(text) ? { ok: false, error: 'in use' } : { ok: true, address: text }
      },
      obstacle: () => (taken.has('systemd') ? 'it is held' : undefined),
      unbind: () => void seen.push('unbind'),
      adjust: async () => {
        seen.push('adjust')
        return taken.has('mode') ? 'no permission' : undefined
      },
    },
    ONE,
    {
      onLost: (text, error) => void seen.push(`lost ${text}: ${error}`),
      onFoundAgain: (text) => void seen.push(`found ${text}`),
    },
  )
  t.after(() => place.stop())
  return { place, taken, seen }
}

test('an address that overlaps and cannot be bound leaves the old one', async (t) => {
  const { place, taken, seen } = bench(t)
  taken.add(ALL.text)
  assert.deepEqual(await place.move(ALL), { rebound: 'failed', error: 'in use' })
  assert.deepEqual(seen, ['unbind', `bind ${ALL.text}`, `bind ${ONE.text}`])
  assert.deepEqual(await place.move(ONE), { rebound: 'no' })
})

test('a socket that is held by somebody else is not let go of', async (t) => {
  const { place, taken, seen } = bench(t)
  taken.add('systemd')
  for (const wanted of [ALL, address('127.0.0.1', 81)])
    assert.deepEqual(await place.move(wanted), { rebound: 'failed', error: 'it is held' })
  assert.deepEqual(seen, [])
  assert.deepEqual(await place.move(ONE), { rebound: 'no' })
})

test('if the old one cannot be bound again either, that is said once, and tried until it can', async (t) => {
  const { place, taken, seen } = bench(t)
  taken.add(ALL.text).add(ONE.text)
  assert.deepEqual(await place.move(ALL), { rebound: 'failed', error: 'in use' })
  assert.deepEqual(seen.slice(2), [`bind ${ONE.text}`, `lost ${ONE.text}: in use`])
  await t.waitFor(() => assert.equal(seen.length, 5), { timeout: 10_000 })
  taken.delete(ONE.text)
  await t.waitFor(() => assert.equal(seen.at(-1), `found ${ONE.text}`), { timeout: 10_000 })
  assert.deepEqual(await place.move(ONE), { rebound: 'no' })
})

test('while nothing is listened on, the next publication binds, also to the address of before', async (t) => {
  const { place, taken, seen } = bench(t)
  taken.add(ALL.text).add(ONE.text)
  await place.move(ALL)
  assert.equal((await place.move(ONE)).rebound, 'failed')
  taken.clear()
  assert.deepEqual(await place.move(ONE), { rebound: 'yes', address: ONE.text })
  const { length } = seen
  await new Promise((resolve) => setTimeout(resolve, 250))
  assert.equal(seen.length, length, 'nothing is tried any more')
})

test('the same address is adjusted, not bound again', async (t) => {
  const { place, taken, seen } = bench(t)
  assert.deepEqual(await place.move(ONE), { rebound: 'no' })
  taken.add('mode')
  assert.deepEqual(await place.move(ONE), { rebound: 'failed', error: 'no permission' })
  assert.deepEqual(seen, ['adjust', 'adjust'])
})

test('a Unix socket overlaps with nothing', async (t) => {
  const { place, seen } = bench(t)
  const socket = (path: string): BindAddress => ({ path, text: `unix:${path}` })
  assert.equal((await place.move(socket('/a'))).rebound, 'yes')
  assert.equal((await place.move(socket('/b'))).rebound, 'yes')
  assert.equal((await place.move(ALL)).rebound, 'yes')
  assert.deepEqual(seen, ['bind unix:/a', 'bind unix:/b', `bind ${ALL.text}`])
})
