import { readFileSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'

parentPort!.on('message', ({ what, fifo }: { what: string; fifo: string }) => {
  if (what === 'talk') {
    console.log('on stdout')
    console.error('on stderr')
  }
  parentPort!.postMessage('up')
  // Waits in the system until somebody writes and closes it: what a file system does that does not answer.
  // With an encoding, opening and reading is one call that no terminate() comes between.
  if (what === 'stuck') readFileSync(fifo, 'utf8')
})
