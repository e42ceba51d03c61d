/** A thread with a way to the ledger: it hands 30 rows over, takes 60 more, and does nothing from there on, until it is killed. */
import { parentPort, workerData } from 'node:worker_threads'
import { createLedgerQueue, type LedgerPort } from '../../src/ledger/queue.ts'
import { offerSample } from './ledger-rows.ts'

const queue = createLedgerQueue(workerData as LedgerPort)
for (let i = 0; i < 30; i++) offerSample(queue)
queue.flush()
for (let i = 0; i < 60; i++) offerSample(queue)
parentPort!.postMessage('taken')
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
