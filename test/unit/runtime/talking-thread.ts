import { openSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'

parentPort!.on('message', ({ what, fifo }: { what: string; fifo: string }) => {
  if (what === 'talk') {
    console.log('on stdout')
    console.error('on stderr')
  }
  parentPort!.postMessage('up')
  // Waits in the system until somebody opens it for writing: what a file system does that does not answer.
  if (what === 'stuck') openSync(fifo, 'r')
})
