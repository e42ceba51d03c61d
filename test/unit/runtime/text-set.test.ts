import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { addToTextSet, createTextSet } from '../../../src/runtime/text-set.ts'

test('a text is new once, and nothing is when there is no room', () => {
  const set = createTextSet(100)
  for (let n = 0; n < 100; n++) assert.equal(addToTextSet(set, `model-${n}`), 'new')
  for (let n = 0; n < 100; n++) assert.equal(addToTextSet(set, `model-${n}`), 'known')
  assert.equal(addToTextSet(set, 'one more'), 'full')
  assert.equal(addToTextSet(set, ''), 'full')
})

test('of several threads one finds a text new', async () => {
  const set = createTextSet(1_000)
  const gate = new SharedArrayBuffer(4)
  const url = new URL('../../../src/runtime/text-set.ts', import.meta.url).href
  const code = `
    const { workerData, parentPort } = require('node:worker_threads')
    import(${JSON.stringify(url)}).then(({ addToTextSet }) => {
      const gate = new Int32Array(workerData.gate)
      Atomics.add(gate, 0, 1)
      while (Atomics.load(gate, 0) < 2);
      let found = 0
      for (let n = 0; n < 1000; n++) if (addToTextSet(workerData.set, 'model-' + n) === 'new') found++
      parentPort.postMessage(found)
    })`
  const founds = [0, 1].map(
    () =>
      new Promise<number>((resolve, reject) => {
        const worker = new Worker(code, { eval: true, workerData: { set, gate } })
        worker.on('message', resolve)
        worker.on('error', reject)
      }),
  )
  const [one, other] = await Promise.all(founds)
  assert.equal(one! + other!, 1_000)
})
