import assert from 'node:assert/strict'
import { test } from 'node:test'
import { identityOf, readSource, type Source } from '../../../../src/config/source.ts'
import { agree, Sightings } from '../../../../src/config/watch/sightings.ts'
import { createFolder } from '../configuration-folder.ts'

const LIMIT = 1000

/** A coarse clock or a careless file system leaves the stamp of a file as it was though its content is another. */
test('content is read again after half a second, though the stamp is the same', (t) => {
  const path = createFolder(t).write('key', 'new')
  const current = readSource(path, LIMIT)
  const stale: Source = { ...current, digest: 'of the old content' }
  let now = 0
  const sightings = new Sightings([stale], () => now)
  now = 499
  assert.equal(sightings.look()[0]?.digest, 'of the old content')
  now = 500
  assert.equal(sightings.look()[0]?.digest, current.digest)
})

test('reading a slow file again takes a hundredth of the time at most', (t) => {
  const path = createFolder(t).write('key', 'content')
  const current = readSource(path, LIMIT)
  let now = 0
  let cost = 20
  const sightings = new Sightings([{ ...current, stamp: 'another' }], () => {
    now += cost
    return now
  })
  sightings.look()
  cost = 0
  const afterRead = now
  now = afterRead + 1900
  assert.equal(sightings.look()[0]?.stamp, current.stamp)
  // Nothing of the content is known beside its digest, so a digest that no content has shows whether it was read.
  const watched = sightings.look()[0] as { digest: string }
  watched.digest = 'kept'
  assert.equal(sightings.look()[0]?.digest, 'kept')
  now = afterRead + 2001
  assert.equal(sightings.look()[0]?.digest, current.digest)
})

test('the stamp of an unreadable file is never trusted', (t) => {
  const { path } = createFolder(t)
  const sightings = new Sightings([readSource(path, LIMIT)], () => 0)
  assert.equal(sightings.look()[0]?.obstacle, 'other')
})

function source(path: string, digest: string): Source {
  return { path, limit: LIMIT, digest, obstacle: undefined, stamp: '' }
}

test('identity is content and place', () => {
  const identity = identityOf([source('a', '1'), source('b', '2')])
  assert.equal(identity, identityOf([{ ...source('a', '1'), stamp: 'x' }, source('b', '2')]))
  for (const other of [
    [source('a', '1')],
    [source('a', '1'), source('b', '3')],
    [source('a', '1'), source('c', '2')],
    [source('b', '2'), source('a', '1')],
    [source('a', '1'), { ...source('b', '2'), limit: 5 }],
  ]) {
    assert.notEqual(identityOf(other), identity)
  }
})

test('two looks agree where they saw the same files', () => {
  const before = [source('a', '1'), source('b', '2')]
  assert.ok(agree(before, [source('a', '1'), source('c', '3')]))
  assert.ok(!agree(before, [source('a', '1'), source('b', '3')]))
})
