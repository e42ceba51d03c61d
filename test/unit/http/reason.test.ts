import assert from 'node:assert/strict'
import { STATUS_CODES } from 'node:http'
import { test } from 'node:test'
import { FAILURES } from '../../../src/failure.ts'
import { reasonOf } from '../../../src/http/reason.ts'

test('every status that we answer with has the phrase that Node knows for it', () => {
  for (const { status } of Object.values(FAILURES).filter((row) => row.status > 0)) {
    assert.equal(reasonOf(status), STATUS_CODES[status], `${status}`)
    assert.notEqual(reasonOf(status), '')
  }
})
