import { after, test } from 'node:test'
import fc from 'fast-check'
import { sockets } from './targets/sockets.ts'

after(() => sockets.close?.())

test(sockets.about, async () => {
  await fc.assert(
    fc.asyncProperty(sockets.values(1), async (value) => void (await sockets.check(value))),
    { numRuns: 150 },
  )
})
