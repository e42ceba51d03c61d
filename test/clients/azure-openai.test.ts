/** OpenAI's own clients, as they speak to Azure: the key in `api-key`, the deployment in the path, the version in the query. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AuthenticationError, AzureOpenAI, RateLimitError } from 'openai'
import { AuthenticationError as AuthenticationError6, AzureOpenAI as AzureOpenAI6 } from 'openai-6'
import { FAILURES } from '../../src/failure.ts'
import { PROVIDER_KEY } from '../support/gateway.ts'
import * as wire from './openai-wire.ts'
import { collect, startParity, type Target } from './parity.ts'

const parity = await startParity()
const question = { model: 'ignored', messages: [{ role: 'user' as const, content: 'Grüß Gott 👋' }] }

function optionsOf(target: Target) {
  return {
    endpoint: target.url,
    apiKey: target.key,
    apiVersion: '2026-04-01-preview',
    deployment: 'my deployment',
    maxRetries: 0,
    defaultHeaders: target.headers,
  }
}

for (const [version, clientOf, unauthorized] of [
  [7, (target: Target) => new AzureOpenAI(optionsOf(target)), AuthenticationError],
  [6, (target: Target) => new AzureOpenAI6(optionsOf(target)) as unknown as AzureOpenAI, AuthenticationError6],
] as const) {
  test(`version ${version}: answers`, async () => {
    const { value, relayed } = await parity.same([wire.chat], async (target) => {
      const { data, response } = await clientOf(target).chat.completions.create(question).withResponse()
      return { data, response }
    })
    assert.equal(value.data.choices[0]?.message.content, wire.ANSWER)
    const request = relayed.requests[0]!
    assert.equal(request.target, '/openai/deployments/my%20deployment/chat/completions?api-version=2026-04-01-preview')
    assert.deepEqual([request.values('api-key'), request.values('authorization')], [[PROVIDER_KEY], []])
  })

  test(`version ${version}: streams`, async () => {
    const { value } = await parity.same([wire.chatStream], async (target) =>
      collect(await clientOf(target).chat.completions.create({ ...question, stream: true })),
    )
    assert.equal(value.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), wire.ANSWER)
  })

  test(`version ${version}: refusals of the gateway`, async () => {
    const error = await parity.refused(parity.wrongKey, 'unauthorized', (to) =>
      clientOf(to).chat.completions.create(question),
    )
    assert.ok(error instanceof unauthorized)
    assert.equal(error.message, `401 fluxgate: ${FAILURES.unauthorized.message}`)
  })

  test(`version ${version}: the login of its own that it sends to the provider stays`, async () => {
    const { relayed } = await parity.same([wire.chat], (target) => clientOf(target).chat.completions.create(question), {
      pass: true,
    })
    assert.deepEqual(relayed.requests[0]!.values('api-key'), [PROVIDER_KEY])
  })
}

test("the provider's 429", async () => {
  const reply = wire.error(429, 'retry-after-ms: 20', 'apim-request-id: 0', 'x-ratelimit-remaining-requests: -1')
  const { value } = await parity.sameError([reply], (target) =>
    new AzureOpenAI(optionsOf(target)).chat.completions.create(question),
  )
  assert.ok(value instanceof RateLimitError)
  assert.equal(value.headers.get('apim-request-id'), '0')
})
