import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseTargetUrl } from '../../../../src/config/compile/target-url.ts'
import type { CredentialPlace, Target } from '../../../../src/config/snapshot.ts'
import {
  type RenderedRequest,
  type RequestTemplate,
  type RequestWish,
  type Route,
  renderForGateway,
  renderStraight,
  templateOf,
} from '../../../../src/tools/diff/request.ts'

function targetOf(url: string): Target {
  const target = parseTargetUrl(url)
  assert.ok('host' in target)
  return target
}

const ROUTE: Route = {
  prefix: '/openai',
  target: targetOf('https://api.test/base'),
  apiKey: 'PK',
  credential: 'swap',
  fields: undefined,
}
const GATEWAY = targetOf('http://gw.test:8080/llm')

function template(...lines: string[]): RequestTemplate {
  return { method: 'GET', path: '/v1/x?y', lines, body: [] }
}

function linesOf({ head }: RenderedRequest): string[] {
  return head.toString('latin1').split('\r\n').slice(0, -2)
}

test('a request is the same both ways but for target, host and key', () => {
  const both = template('hOst:  {host}', 'X: 1', 'authorization: bearer {key}', 'x: \xe9')
  assert.deepEqual(linesOf(renderStraight(both, ROUTE, 'GK')), [
    'GET /base/v1/x?y HTTP/1.1',
    'hOst:  api.test',
    'X: 1',
    'authorization: bearer PK',
    'x: \xe9',
  ])
  assert.deepEqual(linesOf(renderForGateway(both, ROUTE, GATEWAY, 'GK')), [
    'GET /llm/openai/v1/x?y HTTP/1.1',
    'hOst:  gw.test:8080',
    'X: 1',
    'authorization: bearer GK',
    'x: \xe9',
  ])
})

test('a target always begins with a slash', () => {
  const query = { ...template(), path: '?q' }
  const bare = { ...ROUTE, target: targetOf('https://api.test'), prefix: '' }
  assert.equal(linesOf(renderStraight(query, bare, 'GK'))[0], 'GET /?q HTTP/1.1')
  assert.equal(linesOf(renderForGateway(query, bare, bare.target, 'GK'))[0], 'GET /?q HTTP/1.1')
})

test('a key is put in as it is, also if it looks like a pattern', () => {
  const head = linesOf(renderForGateway(template('x-api-key: {key}'), ROUTE, GATEWAY, "$& $1 $' é"))
  assert.equal(head[1], "x-api-key: $& $1 $' \xc3\xa9")
})

test('a body that waits for a 100 is known', () => {
  assert.equal(renderStraight(template('expect:100-Continue'), ROUTE, 'GK').expectsContinue, true)
  assert.equal(renderStraight(template('X-Expect: 100-continue'), ROUTE, 'GK').expectsContinue, false)
})

const PLACES: readonly (readonly [name: string, credential: CredentialPlace, sent: string[], straight: string[]])[] = [
  ['the field of the client', 'swap', ['x-API-key:{key}', 'A: 1'], ['x-API-key:PK', 'A: 1']],
  ['Authorization for x-fluxgate-key', 'swap', ['x-fluxgate-key: {key}', 'A: 1'], ['A: 1', 'Authorization: Bearer PK']],
  [
    "the client's own Authorization, whose key came in x-fluxgate-key",
    'swap',
    ['AUTHORIZATION: Basic b', 'x-fluxgate-key: {key}'],
    ['AUTHORIZATION: Bearer PK'],
  ],
  [
    'a fixed field in place of another',
    'x-api-key',
    ['Authorization: Bearer {key}', 'A: 1'],
    ['x-api-key: PK', 'A: 1'],
  ],
  [
    'a fixed field that is the one of the client',
    'bearer',
    ['authorization:  BEARER {key}'],
    ['authorization:  BEARER PK'],
  ],
  [
    'a fixed field that the client sent as well',
    'x-api-key',
    ['Authorization: Bearer {key}', 'A: 1', 'X-Api-Key:  other'],
    ['A: 1', 'X-Api-Key:  PK'],
  ],
  [
    'nowhere, as the client has its own',
    'pass',
    ['x-fluxgate-key: {key}', 'Authorization: Basic b'],
    ['Authorization: Basic b'],
  ],
]

describe('the key of the provider goes to', () => {
  for (const [name, credential, sent, straight] of PLACES) {
    test(name, () => {
      const rendered = renderStraight(template(...sent), { ...ROUTE, credential }, 'GK')
      assert.deepEqual(linesOf(rendered).slice(1), straight)
    })
  }
})

describe('without a gateway key', () => {
  for (const [name, sent, straight, apiKey = 'PK'] of [
    ['Authorization goes to the end', ['A: 1', 'x-api-key: {key}'], ['A: 1', 'Authorization: Bearer PK']],
    ['what the client sent is swapped', ['X-Api-Key: dummy', 'A: 1'], ['X-Api-Key: PK', 'A: 1']],
    ['another scheme than Bearer gives way', ['Authorization: Basic b'], ['Authorization: Bearer PK']],
    ['and without one of the provider there is none', ['A: 1', 'x-api-key: {key}'], ['A: 1'], ''],
  ] as const) {
    test(name, () => {
      const request = template(...sent)
      assert.deepEqual(linesOf(renderStraight(request, { ...ROUTE, apiKey }, undefined)).slice(1), straight)
      const viaGateway = linesOf(renderForGateway(request, ROUTE, GATEWAY, undefined))
      assert.deepEqual(
        viaGateway.slice(1),
        sent.filter((line) => !line.includes('{key}')),
      )
    })
  }
})

const NOTHING: RequestWish = { method: undefined, path: undefined, lines: [], content: undefined }

function wish(wanted: Partial<RequestWish>, url = 'https://api.test', credential: CredentialPlace = 'swap') {
  return templateOf({ ...NOTHING, ...wanted }, { credential, target: targetOf(url) })
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
