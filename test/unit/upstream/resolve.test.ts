import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { type Lookup, Resolver } from '../../../src/upstream/resolve.ts'
import { FakeTime } from '../runtime/fake-time.ts'

/** Look-ups that wait for their answer. */
let asked: { host: string; answer: Parameters<Lookup>[1] }[] = []
let now = 0

const lookup: Lookup = (host, answer) => asked.push({ host, answer })

function answer(...addresses: string[]): void {
  asked.shift()!.answer(null, addresses)
}

function fail(): void {
  asked.shift()!.answer(new Error('ENOTFOUND'), [])
}

/** Answers to `resolve`, as they come. */
function resolveTimes(resolver: Resolver, times: number): string[] {
  const told: string[] = []
  for (let i = 0; i < times; i++) resolver.resolve((addresses) => told.push(addresses.join(' ')))
  return told
}

beforeEach((t) => {
  asked = []
  now = 1_000_000
  if ('mock' in t) t.mock.method(performance, 'now', () => now)
})

describe('a resolver', () => {
  for (const address of ['127.0.0.1', '::1']) {
    test(`knows ${address} without looking, for ever`, () => {
      const resolver = new Resolver(address, lookup)
      now += 1e9
      assert.deepEqual(resolveTimes(resolver, 2), [address, address])
      assert.equal(resolver.isGone(address), false)
      assert.equal(asked.length, 0)
    })
  }

  test('looks once for all who wait', () => {
    const resolver = new Resolver('a.test', lookup)
    const told = resolveTimes(resolver, 3)
    assert.deepEqual(
      asked.map(({ host }) => host),
      ['a.test'],
    )
    assert.deepEqual(told, [])
    answer('1.1.1.1', '2.2.2.2')
    assert.deepEqual(told, Array(3).fill('1.1.1.1 2.2.2.2'))
  })

  test('waits half a second for a name server that says nothing, once, where the last answer is known', (t) => {
    const time = new FakeTime(t)
    const resolver = new Resolver('a.test', lookup)
    const first = resolveTimes(resolver, 1)
    time.pass(60_000)
    assert.deepEqual(first, [], 'nothing is known')
    answer('1.1.1.1')
    time.nowMs += 10_000
    const waiting = resolveTimes(resolver, 2)
    time.pass(499)
    assert.deepEqual(waiting, [])
    time.pass(1)
    assert.deepEqual(waiting, ['1.1.1.1', '1.1.1.1'])
    assert.deepEqual(resolveTimes(resolver, 1), ['1.1.1.1'], 'whoever comes next does not wait')
    assert.equal(asked.length, 1)
    answer('2.2.2.2')
    assert.deepEqual(resolveTimes(resolver, 1), ['2.2.2.2'])
    assert.deepEqual(waiting, ['1.1.1.1', '1.1.1.1'], 'told once')
    time.nowMs += 10_000
    const quick = resolveTimes(resolver, 1)
    fail()
    assert.deepEqual(quick, ['2.2.2.2'])
    assert.equal(time.pending, 0)
  })

  test('holds nothing of whoever has given up, and tells the others', () => {
    const resolver = new Resolver('a.test', lookup)
    const told: string[] = []
    const giveUp = ['first', 'second', 'third'].map((who) => resolver.resolve(() => told.push(who)))
    giveUp[1]!()
    answer('1.1.1.1')
    assert.deepEqual(told, ['first', 'third'])
  })

  test('knows the answer for a second', () => {
    const resolver = new Resolver('a.test', lookup)
    resolveTimes(resolver, 1)
    answer('1.1.1.1')
    now += 999
    assert.deepEqual(resolveTimes(resolver, 2), ['1.1.1.1', '1.1.1.1'])
    now += 1
    const told = resolveTimes(resolver, 1)
    assert.deepEqual(told, [])
    answer('2.2.2.2')
    assert.deepEqual(told, ['2.2.2.2'])
  })

  test('counts the second from the answer, not from the question', () => {
    const resolver = new Resolver('a.test', lookup)
    resolveTimes(resolver, 1)
    now += 5_000
    answer('1.1.1.1')
    now += 999
    assert.deepEqual(resolveTimes(resolver, 1), ['1.1.1.1'])
  })

  test('tells that nothing was found, and looks again for the next who asks', () => {
    const resolver = new Resolver('a.test', lookup)
    const told = resolveTimes(resolver, 2)
    fail()
    assert.deepEqual(told, ['', ''])
    resolveTimes(resolver, 1)
    assert.equal(asked.length, 1)
  })

  for (const [what, disappoint] of [
    ['a failure', fail],
    ['an empty answer', () => answer()],
  ] as const) {
    test(`keeps its last good answer through ${what}, and looks each time`, () => {
      const resolver = new Resolver('a.test', lookup)
      resolveTimes(resolver, 1)
      answer('1.1.1.1')
      for (let i = 0; i < 3; i++) {
        now += 1_000
        const told = resolveTimes(resolver, 1)
        disappoint()
        assert.deepEqual(told, ['1.1.1.1'])
      }
      assert.equal(resolver.isGone('1.1.1.1'), false)
    })
  }

  test('works with a look-up that answers at once', () => {
    const resolver = new Resolver('a.test', (_host, answered) => answered(null, ['1.1.1.1']))
    assert.deepEqual(resolveTimes(resolver, 1), ['1.1.1.1'])
  })

  test('knows which addresses a name has left, and none before it has looked', () => {
    const resolver = new Resolver('a.test', lookup)
    assert.equal(resolver.isGone('1.1.1.1'), false)
    resolveTimes(resolver, 1)
    answer('1.1.1.1', '2.2.2.2')
    now += 1_000
    resolveTimes(resolver, 1)
    answer('2.2.2.2', '3.3.3.3')
    assert.deepEqual(
      ['1.1.1.1', '2.2.2.2', '3.3.3.3'].map((address) => resolver.isGone(address)),
      [true, false, false],
    )
  })
})

test('the system looks localhost up', async () => {
  const addresses = await new Promise<readonly string[]>((resolve) => new Resolver('localhost').resolve(resolve))
  assert.ok(addresses.includes('127.0.0.1') || addresses.includes('::1'))
})
