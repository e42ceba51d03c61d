import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CredentialPlace } from '../../../src/config/snapshot.ts'
import { parseTargetUrl } from '../../../src/config/target-url.ts'
import { type RequestWish, templateOf } from '../../../src/diff/own-request.ts'
import type { RequestTemplate } from '../../../src/diff/template.ts'

const NOTHING: RequestWish = { method: undefined, path: undefined, lines: [], content: undefined }

function wish(wanted: Partial<RequestWish>, url = 'https://api.test', credential: CredentialPlace = 'swap') {
  const target = parseTargetUrl(url)
  assert.ok('host' in target)
  return templateOf({ ...NOTHING, ...wanted }, { credential, target })
}

function bodyOf({ body }: RequestTemplate): string {
  return Buffer.concat(body).toString('latin1')
}

test('nobody wants anything in particular: the list of models', () => {
  assert.deepEqual(wish({}), {
    method: 'GET',
    path: '/v1/models',
    lines: ['Host: {host}', 'Authorization: Bearer {key}', 'User-Agent: fluxgate-diff', 'Accept: */*'],
    body: [],
  })
  assert.equal(wish({}, 'https://api.test/openai/v1').path, '/models')
  assert.equal(wish({}, 'https://api.test/v1beta').path, '/models')
})

test('content makes a POST with a length', () => {
  const request = wish({ content: Buffer.from('{"é":1}'), path: '/v1/x' })
  assert.equal(request.method, 'POST')
  assert.deepEqual(request.lines.slice(-2), ['Content-Type: application/json', 'Content-Length: 8'])
  assert.equal(bodyOf(request), Buffer.from('{"é":1}').toString('latin1'))
})

test('empty content has a length as well', () => {
  assert.equal(wish({ content: Buffer.alloc(0) }).lines.at(-1), 'Content-Length: 0')
})

test('lines of one’s own take the place of ours', () => {
  const lines = ['hOST:{host}', 'user-agent: me', 'X-Api-Key: {key}', 'content-type: text/plain', 'CONTENT-LENGTH: 2']
  assert.deepEqual(wish({ lines, content: Buffer.from('ab') }).lines, ['Accept: */*', ...lines])
})

test('a body that is to be chunked is', () => {
  const lines = ['Transfer-Encoding: chunked']
  const request = wish({ lines, content: Buffer.from('0123456789abcdef!') })
  assert.equal(bodyOf(request), '11\r\n0123456789abcdef!\r\n0\r\n\r\n')
  assert.equal(request.lines.at(-1), 'Transfer-Encoding: chunked')
  assert.equal(bodyOf(wish({ lines, content: Buffer.alloc(0) })), '0\r\n\r\n')
})

describe('the key goes where the provider wants it:', () => {
  for (const [url, credential, line] of [
    ['https://api.anthropic.com', 'swap', 'x-api-key: {key}'],
    ['https://api.anthropic.com', 'bearer', 'Authorization: Bearer {key}'],
    ['https://generativelanguage.googleapis.com', 'swap', 'x-goog-api-key: {key}'],
    ['https://me.openai.azure.com/openai/v1', 'swap', 'api-key: {key}'],
    ['https://api.openai.com', 'swap', 'Authorization: Bearer {key}'],
    ['https://api.openai.com', 'x-goog-api-key', 'x-goog-api-key: {key}'],
    ['https://api.anthropic.com', 'pass', 'x-fluxgate-key: {key}'],
  ] as const) {
    test(`${url} with ${credential}`, () => assert.equal(wish({}, url, credential).lines[1], line))
  }
})
