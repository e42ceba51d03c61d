import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { createKeyTable, type KeyToPack, packKeys } from '../../../src/config/key-table.ts'
import { createRouteTable } from '../../../src/config/route-table.ts'
import type { Upstream } from '../../../src/config/snapshot.ts'

const UPSTREAMS = Array.from({ length: 5 }, (_, i) => ({ name: `up${i}`, prefix: `/up${i}` }) as Upstream)
const ALL = createRouteTable(UPSTREAMS)

function table(keys: readonly KeyToPack[]) {
  return createKeyTable(structuredClone(packKeys(keys)), UPSTREAMS, ALL)
}

const digestOf = (text: string) => hash('sha256', text, 'hex')

/** Names of the upstreams that the key opens. */
function opens(keys: ReturnType<typeof table>, digest: string): string[] {
  return UPSTREAMS.filter(({ prefix }) => keys.get(digest)?.routes.find(prefix) !== undefined).map(({ name }) => name)
}

test('without a key nothing is found', () => {
  const keys = table([])
  assert.deepEqual([keys.size, keys.get(digestOf('a')), keys.has(digestOf('a'))], [0, undefined, false])
})

for (const count of [1, 2, 3, 8, 1000]) {
  test(`each of ${count} keys is found, and no other`, () => {
    const texts = Array.from({ length: count }, (_, i) => `key ${i}`)
    const keys = table(texts.map((text, i) => ({ digest: digestOf(text), name: `n${i}🔑`, upstreams: [] })))
    assert.equal(keys.size, count)
    for (const [i, text] of texts.entries()) {
      assert.equal(keys.get(digestOf(text))?.name, `n${i}🔑`)
      assert.ok(!keys.has(digestOf(`other ${i}`)))
    }
  })
}

test('digests that begin alike are told apart', () => {
  const digests = Array.from({ length: 9 }, (_, i) => `${'ab'.repeat(31)}0${i}`)
  const keys = table(digests.map((digest, i) => ({ digest, name: `${i}`, upstreams: [] })))
  for (const [i, digest] of digests.entries()) assert.equal(keys.get(digest)?.name, `${i}`)
  assert.equal(keys.get(`${'ab'.repeat(31)}09`), undefined)
})

test('what is no digest is not found', () => {
  const keys = table([{ digest: digestOf('a'), name: 'a', upstreams: [] }])
  for (const text of ['', digestOf('a').slice(0, 63), `${digestOf('a')}0`, 'z'.repeat(64)]) assert.ok(!keys.has(text))
})

test('an identity is one object, and its upstreams are its own', () => {
  const digests = ['a', 'b', 'c', 'd'].map(digestOf)
  const sets = [[0, 2], [], [4], [0, 2]]
  const keys = table(digests.map((digest, i) => ({ digest, name: `${i}`, upstreams: sets[i]! })))
  assert.equal(keys.get(digests[0]!), keys.get(digests[0]!))
  assert.ok(Object.isFrozen(keys.get(digests[0]!)))
  assert.deepEqual(
    digests.map((digest) => opens(keys, digest)),
    [['up0', 'up2'], ['up0', 'up1', 'up2', 'up3', 'up4'], ['up4'], ['up0', 'up2']],
  )
  assert.equal(keys.get(digests[0]!)?.routes, keys.get(digests[3]!)?.routes, 'the same set is one table')
})

test('a set that many keys have is packed once, and nothing is an object for each key', () => {
  const keys = Array.from({ length: 3000 }, (_, i) => ({ digest: digestOf(`${i}`), name: `${i}`, upstreams: [i % 3] }))
  const packed = packKeys(keys)
  assert.equal(packed.members.length, 3)
  for (const part of Object.values(packed)) assert.ok(typeof part !== 'object' || part instanceof Uint32Array)
})
