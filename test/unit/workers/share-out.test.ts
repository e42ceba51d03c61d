import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseNext } from '../../../src/workers/share-out.ts'

interface Worker {
  readonly name: string
  load: number
  backlog: number
}

const workers = (...loads: readonly [load: number, backlog: number][]): Worker[] =>
  loads.map(([load, backlog], i) => ({ name: 'abcdef'[i]!, load, backlog }))

test('the one with the fewest connections is next', () => {
  assert.equal(chooseNext(workers([3, 0], [1, 0], [2, 0]), undefined)?.name, 'b')
})

test('among equals it goes round', () => {
  const all = workers([1, 0], [1, 0], [1, 0])
  let last: Worker | undefined
  let order = ''
  for (let i = 0; i < 7; i++) {
    last = chooseNext(all, last)
    order += last?.name
  }
  assert.equal(order, 'abcabca')
})

test('also after the last one has gone', () => {
  const all = workers([1, 0], [1, 0])
  assert.equal(chooseNext(all, { name: 'gone', load: 0, backlog: 0 })?.name, 'a')
})

test('one that is slow to take what it was given comes after all others, and gets nothing in the end', () => {
  assert.equal(chooseNext(workers([0, 8], [5, 0]), undefined)?.name, 'b')
  assert.equal(chooseNext(workers([0, 8], [5, 9]), undefined)?.name, 'a')
  assert.equal(chooseNext(workers([0, 64], [5, 64]), undefined), undefined)
  assert.equal(chooseNext([], undefined), undefined)
})
