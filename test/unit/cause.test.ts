import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CAUSES, systemCause } from '../../src/cause.ts'
import { FAILURES } from '../../src/failure.ts'

test('a cause is a short word that no system has, and no failure', () => {
  for (const word of Object.keys(CAUSES)) {
    assert.match(word, /^[a-z][a-z_]{1,31}$/)
    assert.ok(!(word in FAILURES) || word === 'head_too_large', word)
  }
})

test('the name of an error is taken only where it is one', () => {
  const named = (code: unknown): string | undefined => systemCause(Object.assign(new Error('x'), { code }))
  for (const code of ['ECONNRESET', 'EAI_AGAIN', 'CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID', 'E2BIG']) {
    assert.equal(named(code), code)
  }
  for (const code of [undefined, 104, '', 'E', 'econnreset', 'E CONN', 'A\n', `E${'X'.repeat(64)}`, 'Ä1']) {
    assert.equal(named(code), undefined, String(code))
  }
  assert.equal(systemCause(undefined), undefined)
  assert.equal(systemCause(new Error('ECONNRESET')), undefined)
})
