/** LangChain's chat model for OpenAI: OpenAI's client below, retries of its own above. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChatOpenAI } from '@langchain/openai'
import { FAILURES } from '../../src/failure.ts'
import * as wire from './openai-wire.ts'
import { assertPause, collect, startParity, type Target } from './parity.ts'
import { compressible } from './scripted-origin.ts'

/** More than its first pause without a hint, which is two seconds at most. */
const RETRY_AFTER_SECONDS = 2.1
const CLASSES = {
  401: 'AuthenticationError',
  404: 'NotFoundError',
  429: 'RateLimitError',
  500: 'InternalServerError',
  529: 'InternalServerError',
} as const

const parity = await startParity()
const question = 'Grüß Gott 👋'
const parameters = { type: 'object', properties: { city: { type: 'string' }, unit: { type: 'string' } } }
const tools = [{ type: 'function' as const, function: { name: 'get_weather', parameters } }]

function modelOf(target: Target, options: { maxRetries?: number; coding?: string } = {}): ChatOpenAI {
  const { maxRetries = 0, coding } = options
  const defaultHeaders = { ...target.headers, ...(coding === undefined ? {} : { 'accept-encoding': coding }) }
  return new ChatOpenAI({
    model: 'gpt-5.6',
    apiKey: target.key,
    configuration: { baseURL: `${target.url}/v1`, defaultHeaders },
    maxRetries,
  })
}

test('answers', async () => {
  const { value } = await parity.same([wire.chat], (target) => modelOf(target).invoke(question))
  assert.equal(value.content, wire.ANSWER)
  assert.equal(value.usage_metadata?.total_tokens, 21)
})
