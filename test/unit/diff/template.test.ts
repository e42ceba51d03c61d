import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CredentialPlace } from '../../../src/config/snapshot.ts'
import {
  type RenderedRequest,
  type RequestTemplate,
  renderForGateway,
  renderStraight,
  type UpstreamFacts,
} from '../../../src/diff/template.ts'

const UPSTREAM: UpstreamFacts = {
  prefix: '/openai',
  basePath: '/base',
  authority: 'api.test',
  apiKey: 'PK',
  credential: 'swap',
}
const GATEWAY = { basePath: '/llm', authority: 'gw.test:8080', key: 'GK' }

function template(...lines: string[]): RequestTemplate {
  return { method: 'GET', path: '/v1/x?y', lines, body: [] }
}

function linesOf({ head }: RenderedRequest): string[] {
  return head.toString('latin1').split('\r\n').slice(0, -2)
}

test('a request is the same both ways but for target, host and key', () => {
  const both = template('hOst:  {host}', 'X: 1', 'authorization: bearer {key}', 'x: \xe9')
  assert.deepEqual(linesOf(renderStraight(both, UPSTREAM, 'GK')), [
    'GET /base/v1/x?y HTTP/1.1',
    'hOst:  api.test',
    'X: 1',
    'authorization: bearer PK',
    'x: \xe9',
  ])
  assert.deepEqual(linesOf(renderForGateway(both, UPSTREAM, GATEWAY)), [
    'GET /llm/openai/v1/x?y HTTP/1.1',
    'hOst:  gw.test:8080',
    'X: 1',
    'authorization: bearer GK',
    'x: \xe9',
  ])
})

test('a target always begins with a slash', () => {
  const query = { ...template(), path: '?q' }
  const bare = { ...UPSTREAM, basePath: '', prefix: '' }
  assert.equal(linesOf(renderStraight(query, bare, 'GK'))[0], 'GET /?q HTTP/1.1')
  assert.equal(linesOf(renderForGateway(query, bare, { ...GATEWAY, basePath: '' }))[0], 'GET /?q HTTP/1.1')
})

test('a key is put in as it is, also if it looks like a pattern', () => {
  const head = linesOf(renderForGateway(template('x-api-key: {key}'), UPSTREAM, { ...GATEWAY, key: "$& $1 $' é" }))
  assert.equal(head[1], "x-api-key: $& $1 $' \xc3\xa9")
})

test('a body that waits for a 100 is known', () => {
  assert.equal(renderStraight(template('expect:100-Continue'), UPSTREAM, 'GK').expectsContinue, true)
  assert.equal(renderStraight(template('X-Expect: 100-continue'), UPSTREAM, 'GK').expectsContinue, false)
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
      const rendered = renderStraight(template(...sent), { ...UPSTREAM, credential }, 'GK')
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
      assert.deepEqual(linesOf(renderStraight(request, { ...UPSTREAM, apiKey }, undefined)).slice(1), straight)
      const viaGateway = linesOf(renderForGateway(request, UPSTREAM, { ...GATEWAY, key: undefined }))
      assert.deepEqual(
        viaGateway.slice(1),
        sent.filter((line) => !line.includes('{key}')),
      )
    })
  }
})
