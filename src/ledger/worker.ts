/** The thread of the ledger: whatever a database does, it does to nobody else. */
import { type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads'
import { createKeeper, type Keeper } from './keeper.ts'
import type { FromLedgerThread, ToLedgerThread } from './messages.ts'
import type { Handed } from './queue.ts'
import type { WriterClock } from './writer.ts'

const main = parentPort!
const ports = new Set<MessagePort>()
let keeper: Keeper | undefined

const CLOCK: WriterClock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}

function post(message: FromLedgerThread): void {
  main.postMessage(message)
}

function take(port: MessagePort, handed: Handed): void {
  keeper!.take(handed, () => port.postMessage(handed.id))
}

function listen(port: MessagePort): void {
  ports.add(port)
  port.on('message', (handed: Handed) => take(port, handed))
  port.on('close', () => ports.delete(port))
}

/** What was handed over before the stop is there already, though nobody may have told of it yet. */
async function stop(withinMs: number): Promise<void> {
  for (const port of ports) {
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      take(port, next.message as Handed)
    }
  }
  await keeper!.close(withinMs)
  for (const port of ports) port.close()
  post({ type: 'stopped' })
  main.close()
}

main.on('message', (message: ToLedgerThread) => {
  switch (message.type) {
    case 'begin':
      keeper = createKeeper(message.counts, CLOCK, (event) => post({ type: 'event', event }))
      break
    case 'state':
      keeper!.use(message.state)
      break
    case 'port':
      listen(message.port)
      break
    case 'stop':
      void stop(message.withinMs)
  }
})
