import { test } from 'node:test'
import fc from 'fast-check'
import { repeatedHeads } from './targets/repeated-heads.ts'

test(repeatedHeads.about, async () => {
  await fc.assert(
    fc.asyncProperty(repeatedHeads.values(1), async (value) => void (await repeatedHeads.check(value))),
    { numRuns: 400 },
  )
})
