/** The ledger's thread, whose first life ends with the first rows that it gets. */
import { existsSync, writeFileSync } from 'node:fs'
import { type MessagePort, parentPort } from 'node:worker_threads'

const mark = process.env.FLUXGATE_TEST_MORTAL!
if (existsSync(mark)) await import('../../src/ledger/worker.ts')
else {
  writeFileSync(mark, '')
  parentPort!.on('message', (message: { readonly port?: MessagePort }) => {
    message.port?.on('message', () => process.exit(3))
  })
}
