/** What the tap says of an exchange is what the official client says of the same one. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { createEstimator } from '../../src/llm/estimate.ts'
import { ContentTap } from '../../src/llm/tap.ts'
import type { Usage } from '../../src/llm/usage.ts'
import { MODELS } from '../../src/tools/stand-in/models.ts'
import { STAND_IN_KEY, startStandIn } from '../../src/tools/stand-in/stand-in.ts'

const standIn = await startStandIn({ tokenDelayMs: 0 })
after(() => standIn.close())
const origin = `http://127.0.0.1:${standIn.port}`
const estimator = createEstimator()
/** One of the clients takes whatever is the global one. */
const plainFetch = globalThis.fetch

/** A fetch beside which a tap looks at what passes. */
function tapped(): { fetch: typeof fetch; usage: Promise<Usage> } {
  const tap = new ContentTap({ dialect: 'auto', estimator, now: () => performance.now() })
  const look = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init)
    const { pathname, search } = new URL(request.url)
    tap.requestHead(pathname + search, request.headers.get('content-type') ?? undefined)
    tap.request(Buffer.from(await request.clone().arrayBuffer()))
    const response = await plainFetch(request)
    tap.responseHead(response.status, (name) => response.headers.get(name) ?? undefined)
    const content = response.body!.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(piece, controller) {
          tap.response(Buffer.from(piece))
          controller.enqueue(piece)
        },
        flush: () => tap.end('complete'),
        // OpenAI's client leaves with `[DONE]`.
        cancel: () => tap.end('broken'),
      }),
    )
    return new Response(content, response)
  }
  return { fetch: look, usage: new Promise((settle) => tap.result(settle)) }
}

const [model] = [...MODELS.keys()]
assert.ok(model !== undefined)

for (const stream of [false, true]) {
  const way = stream ? 'streamed' : 'in one piece'

  test(`OpenAI's chat, ${way}`, async () => {
    const { fetch, usage } = tapped()
    const client = new OpenAI({ baseURL: `${origin}/v1`, apiKey: STAND_IN_KEY, fetch, maxRetries: 0 })
    const question = { model, messages: [{ role: 'user' as const, content: 'Say something about usage.' }] }
    let said: OpenAI.CompletionUsage | null | undefined
    if (stream) {
      const chunks = await client.chat.completions.create({
        ...question,
        stream,
        stream_options: { include_usage: true },
      })
      for await (const chunk of chunks) said = chunk.usage ?? said
    } else said = (await client.chat.completions.create(question)).usage
    const { inputTokens, outputTokens, usage: state } = await usage
    assert.deepEqual([inputTokens, outputTokens, state], [said!.prompt_tokens, said!.completion_tokens, 'exact'])
  })

  test(`OpenAI's responses, ${way}`, async () => {
    const { fetch, usage } = tapped()
    const client = new OpenAI({ baseURL: `${origin}/v1`, apiKey: STAND_IN_KEY, fetch, maxRetries: 0 })
    const question = { model, input: 'Say something about usage.' }
    let said: OpenAI.Responses.ResponseUsage | undefined
    if (stream) {
      const sent = await client.responses.create({ ...question, stream })
      for await (const event of sent) if (event.type === 'response.completed') said = event.response.usage
    } else said = (await client.responses.create(question)).usage
    const { inputTokens, outputTokens, usage: state } = await usage
    assert.deepEqual([inputTokens, outputTokens, state], [said!.input_tokens, said!.output_tokens, 'exact'])
  })

  test(`Anthropic's messages, ${way}`, async () => {
    const { fetch, usage } = tapped()
    const client = new Anthropic({ baseURL: origin, apiKey: STAND_IN_KEY, fetch, maxRetries: 0 })
    const question = {
      model,
      max_tokens: 200,
      messages: [{ role: 'user' as const, content: 'Say something about usage.' }],
    }
    const message = stream
      ? await client.messages.stream(question).finalMessage()
      : await client.messages.create(question)
    const { inputTokens, outputTokens, usage: state } = await usage
    const { input_tokens, output_tokens } = message.usage
    assert.deepEqual([inputTokens, outputTokens, state], [input_tokens, output_tokens, 'exact'])
  })

  test(`Gemini, ${way}`, async (t) => {
    const { fetch, usage } = tapped()
    t.mock.method(globalThis, 'fetch', fetch)
    const client = new GoogleGenAI({ apiKey: STAND_IN_KEY, httpOptions: { baseUrl: origin } })
    const question = { model, contents: 'Say something about usage.' }
    let said: { promptTokenCount?: number; candidatesTokenCount?: number } | undefined
    if (stream)
      for await (const chunk of await client.models.generateContentStream(question)) said = chunk.usageMetadata
    else said = (await client.models.generateContent(question)).usageMetadata
    const { inputTokens, outputTokens, usage: state } = await usage
    assert.deepEqual([inputTokens, outputTokens, state], [said!.promptTokenCount, said!.candidatesTokenCount, 'exact'])
  })
}
