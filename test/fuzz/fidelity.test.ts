import { test } from 'node:test'
import fc from 'fast-check'
import { cut, places, requests, response } from './messages.ts'
import { arrives } from './targets/fidelity.ts'

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
