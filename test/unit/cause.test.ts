import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CAUSES, isCause } from '../../src/cause.ts'
import { FAILURES } from '../../src/failure.ts'

test('a cause is a short word that no system has, and no failure', () => {
  for (const word of Object.keys(CAUSES)) {
    assert.match(word, /^[a-z][a-z_]{1,31}$/)
    assert.ok(!(word in FAILURES) || word === 'head_too_large', word)
    assert.ok(isCause(word))
  }
})

test('beside them stand names of errors, and what a proxy answered', () => {
  for (const word of [
    'ECONNRESET',
    'EAI_AGAIN',
    'CERT_HAS_EXPIRED',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'E2BIG',
    'status_403',
  ]) {
    assert.ok(isCause(word), word)
  }
})

test('nothing else gets into the log as a cause', () => {
  const others = ['', 'E', 'econnreset', 'E CONN', 'A\n', `E${'X'.repeat(64)}`, '\u00c41', 'toString', '__proto__']
  for (const word of [...others, 'status_', 'status_4033', 'status_600', 'hello']) assert.ok(!isCause(word), word)
})
