import assert from 'node:assert/strict'
import { test } from 'node:test'
import { locationAtGateway, uploadUrlAtGateway } from '../../../src/exchange/location.ts'
import { upstream } from './exchange-of.ts'

/** `https://api.example/v1` under `/up`. */
const based = upstream()
const rooted = upstream({ basePath: '', prefix: '' })
/** `https://api.example` under `/up`. */
const rootedAt = upstream({ basePath: '' })
/** `https://api.example/v1` under `/`. */
const rootedBelow = upstream({ prefix: '' })

for (const [reference, expected, at = based] of [
  ['https://api.example/v1/x', '/up/x'],
  ['HTTPS://API.example:443/v1/x?y#z', '/up/x?y#z'],
  ['//api.example/v1/x', '/up/x'],
  ['https://api.example./v1/x', '/up/x'],
  ['/v1/x', '/up/x'],
  ['/v1', '/up'],
  ['/v1?a', '/up?a'],
  ['/v1//x', '/up//x'],
  ['http://api.example/v1/x', undefined],
  ['https://api.example:8443/v1/x', undefined],
  ['https://api.example.evil/v1/x', undefined],
  ['https://user@api.example/v1/x', undefined],
  ['https://other.example/v1/x', undefined],
  ['https://api.example', undefined],
  ['https:/v1/x', undefined],
  ['/v11', undefined],
  ['/v2/x', undefined],
  ['/v1/../admin', undefined],
  ['/v1/%2e%2E/admin', undefined],
  ['x', undefined],
  ['../x', undefined],
  ['?a', undefined],
  ['', undefined],
  ['/x', '/x', rooted],
  ['https://api.example', '/', rooted],
  ['https://api.example?a', '/?a', rooted],
  ['https://api.example//evil.example', undefined, rooted],
  ['//evil.example', undefined, rooted],
  // A browser takes a backslash for a slash, and no notice of a tab.
  ['/v1/\\evil.example', undefined, rootedBelow],
  ['/v1/\t/evil.example', undefined, rootedBelow],
  ['/v1/..\\x', undefined],
  ['/v1/.\t./x', undefined],
  ['/v1/x', '/x', rootedBelow],
] as const) {
  test(`${reference || 'nothing'} ${at === based ? '' : 'at the root '}is ${expected ?? 'left alone'}`, () => {
    assert.equal(locationAtGateway(reference, at), expected)
  })
}

for (const [url, expected, at = rootedAt] of [
  ['https://api.example/upload/x?upload_id=1', 'https://api.example/up/upload/x?upload_id=1'],
  ['HTTPS://other.example:1//upload', 'HTTPS://other.example:1/up//upload'],
  ['/upload/x', '/up/upload/x'],
  ['https://api.example', undefined],
  ['https://api.example?x', undefined],
  ['upload/x', undefined],
  ['', undefined],
  ['https://api.example/v1/upload/x', 'https://api.example/up/upload/x', based],
  ['https://api.example/v1', 'https://api.example/up', based],
  ['https://api.example/v11/upload', undefined, based],
  ['https://api.example/upload', undefined, based],
  ['https://api.example/upload', 'https://api.example/upload', rooted],
] as const) {
  test(`of an upload, ${url || 'nothing'} is ${expected ?? 'left alone'}`, () => {
    assert.equal(uploadUrlAtGateway(url, at), expected)
  })
}
