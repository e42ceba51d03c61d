import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { places, requests, response } from './messages.ts'
import { findRequests, READERS } from './reference-reader.ts'
import { checkRequests, checkResponse, pieces, SPICE } from './targets/smuggling.ts'

type Mutation = readonly [how: 'insert' | 'replace' | 'delete' | 'repeat', at: number, length: number, spice: string]

const mutation: fc.Arbitrary<Mutation> = fc.tuple(
  fc.constantFrom('insert', 'replace', 'delete', 'repeat'),
  fc.nat(100_000),
  fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(30) }),
  fc.oneof(
    fc.constantFrom(...SPICE),
    fc.nat(255).map((octet) => String.fromCharCode(octet)),
  ),
)

const mutations = fc.array(mutation, { minLength: 1, maxLength: 4 })

function mutate(bytes: string, all: readonly Mutation[]): string {
  let mutated = bytes
  for (const [how, place, length, spice] of all) {
    const at = place % (mutated.length + 1)
    const removed = mutated.slice(at, at + length)
    const instead = how === 'delete' ? '' : how === 'repeat' ? removed + removed : spice
    mutated = mutated.slice(0, at) + instead + mutated.slice(how === 'insert' ? at : at + length)
  }
  return mutated
}

describe('whatever a client sends', () => {
  test('well-formed requests are the same messages to everybody', () => {
    fc.assert(
      fc.property(requests, places, (sample, at) => {
        checkRequests(sample.bytes, at)
      }),
      { numRuns: 500 },
    )
  })

  test('damaged requests are refused, or the same messages to everybody', () => {
    fc.assert(
      fc.property(requests, mutations, places, (sample, all, at) => {
        checkRequests(mutate(sample.bytes, all), at)
      }),
      { numRuns: 8_000 },
    )
  })

  test('so are arbitrary pieces of requests', () => {
    fc.assert(
      fc.property(pieces, places, (text, at) => {
        checkRequests(text, at)
      }),
      { numRuns: 8_000 },
    )
  })
})

test('whatever an upstream sends, what arrives whole is one message to a strict reader', () => {
  fc.assert(
    fc.property(response, mutations, places, (sample, all, at) => {
      checkResponse(mutate(sample.bytes, all), at)
    }),
    { numRuns: 8_000 },
  )
})

describe('the reference reader can tell', () => {
  for (const [what, text, ends] of [
    [
      'two framings',
      'POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      [[], [], [69], [71]],
    ],
    ['a bare LF after a size', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n', [[], [51], [51], [51]]],
    ['a name with a blank', 'POST / HTTP/1.1\r\nContent-Length : 1\r\n\r\nx', [[], [39], [40], [40]]],
  ] as const) {
    test(what, () => {
      assert.deepEqual(
        READERS.map((reader) => findRequests(text, reader).ends),
        ends,
      )
    })
  }
})
