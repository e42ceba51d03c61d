import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from '../../../../src/config/text/suggest.ts'

const KNOWN = ['request_path', 'target_url', 'api_key', 'credential', 'connect_timeout_ms', 'response_timeout_ms', 'id']

test('the nearest name, if it is near', () => {
  for (const [name, expected] of [
    ['target_ulr', 'target_url'],
    ['targetUrl', 'target_url'],
    ['TARGET-URL', 'target_url'],
    ['apikey', 'api_key'],
    ['api_keys', 'api_key'],
    ['conect_timeout', 'connect_timeout_ms'],
    ['respond_timeout_ms', 'response_timeout_ms'],
    ['ID', 'id'],
    ['credentail', 'credential'],
    ['model', undefined],
    ['', undefined],
    ['x', undefined],
    ['timeout', undefined],
  ] as const) {
    assert.equal(nearest(name, KNOWN), expected, name)
  }
})
