import { writeSync } from 'node:fs'
import v8 from 'node:v8'
import vm from 'node:vm'

/*
 * Loaded into a gateway under test before its own code (`footprint.ts` says how): on SIGWINCH it collects all garbage and
 * writes on stderr what is left. Resident memory alone would show a leak only when it is larger than what V8 has not got
 * round to collect, which is megabytes.
 */

v8.setFlagsFromString('--expose-gc')
const collectGarbage = vm.runInNewContext('gc') as () => void

process.on('SIGWINCH', () => {
  collectGarbage()
  // What only waits for its finalizer is gone after the second time.
  setImmediate(() => {
    collectGarbage()
    const { heapUsed, external, rss } = process.memoryUsage()
    const resources: Record<string, number> = {}
    for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1
    writeSync(2, `footprint ${JSON.stringify({ live: heapUsed + external, resident: rss, resources })}\n`)
  })
})
