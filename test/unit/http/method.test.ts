import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isIdempotent, isMisspelled } from '../../../src/http/method.ts'

const REGISTERED = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE']

test('a registered method in another spelling is misspelled', () => {
  for (const method of REGISTERED) {
    assert.ok(!isMisspelled(method), method)
    assert.ok(isMisspelled(method.toLowerCase()), method)
    assert.ok(isMisspelled(method[0]! + method.slice(1).toLowerCase()), method)
  }
})

test('a method that nobody knows is not misspelled', () => {
  for (const method of ['PURGE', 'purge', 'GETS', 'get-', '_']) assert.ok(!isMisspelled(method), method)
})

test('RFC 9110 section 9.2.2 names the idempotent methods', () => {
  const idempotent = [...REGISTERED, 'PURGE', 'get', 'QUERY'].filter(isIdempotent)
  assert.deepEqual(idempotent, ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])
})
