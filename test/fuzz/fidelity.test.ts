import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { pass } from '../wire/passage.ts'
import { cut, places, requests, response, type Sample } from './messages.ts'

/** What cannot be told apart from the outside is not compared byte by byte in a message that nobody can read. */
function arrives(sample: Sample, pieces: readonly string[], answers?: string): void {
  const passage = pass(pieces, answers)
  assert.deepEqual(
    passage.log.filter((event) => /^(?:refused|broken|ends|surplus) /.test(event)),
    [],
  )
  assert.equal(passage.passed, sample.passed)
}

test('well-formed requests arrive byte for byte, wherever they are cut', () => {
  fc.assert(
    fc.property(requests, places, (sample, at) => arrives(sample, cut(sample.bytes, at))),
    { numRuns: 1_500 },
  )
})

test('well-formed responses arrive byte for byte, wherever they are cut', () => {
  fc.assert(
    fc.property(response, places, (sample, at) => arrives(sample, cut(sample.bytes, at), 'GET')),
    { numRuns: 1_500 },
  )
})

test('and also when they come byte by byte', () => {
  fc.assert(
    fc.property(requests, response, (request, answer) => {
      arrives(request, [...request.bytes])
      arrives(answer, [...answer.bytes], 'GET')
    }),
    { numRuns: 50 },
  )
})
