import { test } from 'node:test'
import fc from 'fast-check'
import { downloads, uploads } from './targets/exchanges.ts'

test(uploads.about, async () => {
  await fc.assert(
    fc.asyncProperty(uploads.values(1), async (value) => void (await uploads.check(value))),
    { numRuns: 300 },
  )
})

test(downloads.about, async () => {
  await fc.assert(
    fc.asyncProperty(downloads.values(1), async (value) => void (await downloads.check(value))),
    { numRuns: 400 },
  )
})
