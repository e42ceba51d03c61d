import { test } from 'node:test'
import fc from 'fast-check'
import { downloads, uploads } from './targets/exchanges.ts'

test(uploads.about, () => {
  fc.assert(
    fc.property(uploads.values(1), (value) => void uploads.check(value)),
    { numRuns: 300 },
  )
})

test(downloads.about, () => {
  fc.assert(
    fc.property(downloads.values(1), (value) => void downloads.check(value)),
    { numRuns: 400 },
  )
})
