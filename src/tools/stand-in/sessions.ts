/**
 * What the stand-in says over a WebSocket: OpenAI's Realtime and Responses APIs and Gemini Live with text, and an echo on every
 * other path. A message comes in, frames of an answer go out.
 */
import type { Frame } from './api.ts'
import { isObject, objectsIn, parseObject, stringOr } from './json.ts'
import { openai } from './openai.ts'
import { modelResponse } from './openai-responses.ts'
import { Refusal } from './refusal.ts'
import { compose, fingerprint, type Reply, type Turn, textsOf } from './reply.ts'

export interface Session {
  /** Said before anybody asks. */
  readonly greeting: readonly Frame[]
  answer(message: Buffer): Iterable<Frame>
}

/** `path` and `query` of the upgrade; undefined: there is an echo. */
export function sessionFor(path: string, query: URLSearchParams): Session | undefined {
  if (path === '/v1/realtime') return realtime(query.get('model') ?? 'stand-in-1')
  if (path === '/v1/responses') return { greeting: [], answer: respond }
  return /^\/+ws\/google\.[^/]+\.BidiGenerateContent$/.test(path) ? live() : undefined
}

function event(type: string, fields: object, isToken = false): Frame {
  return { text: JSON.stringify({ type, ...fields }), isToken }
}

function refusal(refused: Refusal): Frame {
  return event('error', { event_id: 'event_error', status: refused.status, ...openai.refuse(refused, '').body })
}

/** The events of a streamed response, each as a message. */
function* respond(message: Buffer): Generator<Frame> {
  const body = parseObject(message)
  const answer = body instanceof Refusal ? body : modelResponse({ ...body, stream: true }, fingerprint(message))
  if (answer instanceof Refusal) return yield refusal(answer)
  if (answer.kind !== 'stream') return
  for (const { text, isToken } of answer.frames) {
    yield { text: text.slice(text.indexOf('data: ') + 'data: '.length).trimEnd(), isToken }
  }
}

function realtime(model: string): Session {
  const turns: Turn[] = []
  let count = 0
  let session: object = {
    id: 'sess_1',
    object: 'realtime.session',
    type: 'realtime',
    model,
    output_modalities: ['text'],
  }
  const tell = (type: string, fields: object, isToken = false): Frame =>
    event(type, { event_id: `event_${++count}`, ...fields }, isToken)

  function* answer(message: Buffer): Generator<Frame> {
    const body = parseObject(message)
    if (body instanceof Refusal) return yield refusal(body)
    switch (body.type) {
      case 'session.update':
        session = { ...session, ...(isObject(body.session) ? body.session : {}) }
        return yield tell('session.updated', { session })
      case 'conversation.item.create': {
        const item = { id: `item_${count + 1}`, ...(isObject(body.item) ? body.item : {}) }
        turns.push({ role: 'user', texts: textsOf(isObject(body.item) ? body.item.content : []) })
        yield tell('conversation.item.added', { previous_item_id: null, item })
        return yield tell('conversation.item.done', { previous_item_id: null, item })
      }
      case 'response.create':
        return yield* say()
      default:
        yield refusal(new Refusal(400, `The stand-in does not know '${stringOr(body.type, '')}'.`))
    }
  }

  function* say(): Generator<Frame> {
    const reply = compose({ model, turns, tools: [], toolChoice: 'none', maxTokens: undefined })
    if (reply instanceof Refusal) return yield refusal(reply)
    const id = `resp_${count + 1}`
    const item = { id: `msg_${id}`, type: 'message', role: 'assistant' }
    const place = { response_id: id, item_id: item.id, output_index: 0, content_index: 0 }
    const part = { type: 'output_text', text: reply.text }
    const whole = { ...item, status: 'completed', content: [part] }
    yield tell('response.created', { response: { id, object: 'realtime.response', status: 'in_progress', output: [] } })
    yield tell('response.output_item.added', { ...place, item: { ...item, status: 'in_progress', content: [] } })
    for (const delta of reply.pieces) yield tell('response.output_text.delta', { ...place, delta }, true)
    yield tell('response.output_text.done', { ...place, text: reply.text })
    yield tell('response.output_item.done', { ...place, item: whole })
    const response = { id, object: 'realtime.response', status: 'completed', output: [whole], usage: usageOf(reply) }
    yield tell('response.done', { response })
  }

  return { greeting: [tell('session.created', { session })], answer }
}

function usageOf({ inputTokens, pieces }: Reply): {
  input_tokens: number
  output_tokens: number
  total_tokens: number
} {
  return { input_tokens: inputTokens, output_tokens: pieces.length, total_tokens: inputTokens + pieces.length }
}

function live(): Session {
  const turns: Turn[] = []
  let model = 'stand-in-1'
  const message = (fields: object, isToken = false): Frame => ({ text: JSON.stringify(fields), isToken })

  function* answer(bytes: Buffer): Generator<Frame> {
    const body = parseObject(bytes)
    if (body instanceof Refusal) return
    if (isObject(body.setup)) {
      model = stringOr(body.setup.model, model).replace(/^models\//, '')
      return yield message({ setupComplete: {} })
    }
    const content = isObject(body.clientContent) ? body.clientContent : undefined
    if (content === undefined) return
    for (const { parts } of objectsIn(content.turns)) turns.push({ role: 'user', texts: textsOf(parts) })
    if (content.turnComplete !== true) return
    const reply = compose({ model, turns, tools: [], toolChoice: 'none', maxTokens: undefined })
    if (reply instanceof Refusal) return
    for (const text of reply.pieces) {
      yield message({ serverContent: { modelTurn: { role: 'model', parts: [{ text }] } } }, true)
    }
    const { input_tokens: promptTokenCount, output_tokens: responseTokenCount, total_tokens } = usageOf(reply)
    const usageMetadata = { promptTokenCount, responseTokenCount, totalTokenCount: total_tokens }
    yield message({ serverContent: { generationComplete: true, turnComplete: true }, usageMetadata })
  }

  return { greeting: [], answer }
}
