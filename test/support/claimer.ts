/** A process that claims a file at the moment that it is told, as others do. */
import { claim } from '../../src/ledger/claim.ts'

process.on('message', ({ path, atMs }: { path: string; atMs: number }) => {
  while (Date.now() < atMs) {
    // Only so do all of them come at once.
  }
  process.send!(claim(path) !== undefined)
})
process.send!('ready')
