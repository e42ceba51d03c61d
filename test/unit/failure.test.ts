import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FAILURES, type FailureCode, recordLevel } from '../../src/failure.ts'

const CODES = Object.keys(FAILURES) as FailureCode[]
/** Answers of ours by which a server says that it has failed. */
const SERVER_ERRORS: readonly number[] = [500, 502, 503, 504]

test('a record is WARN where the upstream or the gateway has failed, and TRACE otherwise', () => {
  assert.equal(recordLevel(undefined, undefined), 'trace')
  for (const code of CODES) {
    const { status, outcome, side } = FAILURES[code]
    const isWarn =
      outcome === 'upstream_abort' || SERVER_ERRORS.includes(status) || (outcome === 'timeout' && side !== 'client')
    assert.equal(recordLevel(code, undefined), isWarn ? 'warn' : 'trace', code)
  }
  const traced = CODES.filter((code) => recordLevel(code, undefined) === 'trace').map((code) => FAILURES[code].status)
  assert.deepEqual([...new Set(traced)].sort(), [0, 400, 401, 404, 408, 414, 417, 431, 501, 505])
})

test('a client that does not take its answer is no failure of the upstream', () => {
  assert.equal(recordLevel('idle_timeout', 'client'), 'trace')
  assert.equal(recordLevel('idle_timeout', 'upstream'), 'warn')
})
