import assert from 'node:assert/strict'
import { test } from 'node:test'
import { warnOfFewDescriptors } from '../../../src/cli/descriptors.ts'
import { createLog } from '../../../src/observe/log.ts'
import { descriptorLimit } from '../../../src/runtime/descriptors.ts'

function warnings(maxConnections: number, limit: number | undefined, workers = 1): string[] {
  const lines: string[] = []
  const log = createLog({ level: 'trace', format: 'text', colour: false }, (line) => lines.push(line.slice(28, -1)))
  warnOfFewDescriptors(log, { maxConnections, workers }, limit)
  return lines
}

test('fewer descriptors than connections need are a warning with the numbers and the cure', () => {
  assert.deepEqual(warnings(1024, 1024), [
    'WARN Fewer file descriptors than connections may need limit=1024 needed=2112 max_connections=1024 ' +
      'cure="raise LimitNOFILE= of the unit or ulimit -n of the shell, or lower server.max_connections"',
  ])
  assert.equal(warnings(1024, 2111).length, 1)
  assert.match(warnings(1024, 2159, 4)[0]!, / needed=2160 /)
})

test('enough of them are none, nor is a limit that cannot be told', () => {
  assert.deepEqual(warnings(1024, 2112), [])
  assert.deepEqual(warnings(1024, undefined), [])
})

test('the limit is read where the system tells it', () => {
  const table = (soft: string): string =>
    `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            ${soft.padEnd(20)} 1048576              files     \n`
  assert.equal(
    descriptorLimit(() => table('1024')),
    1024,
  )
  assert.equal(
    descriptorLimit(() => table('unlimited')),
    undefined,
  )
  assert.equal(
    descriptorLimit(() => {
      throw new Error('ENOENT')
    }),
    undefined,
  )
})
