/** Anthropic's API: messages, token counts and models. */
import { type Answer, type Api, type ApiRequest, CREATED, type Frame, type JsonAnswer, json } from './api.ts'
import { eventStream, typedEvent } from './event-stream.ts'
import { isObject, type Json, objectsIn, parseObject, positiveInteger } from './json.ts'
import { MODELS } from './models.ts'
import { Refusal, retryHeaders } from './refusal.ts'
import { compose, fingerprint, type Prompt, type Reply, type Tool, type Turn, textsOf, wordsIn } from './reply.ts'

export const anthropic: Api = { answer, refuse, headers: (requestId) => ({ 'request-id': requestId }) }

function answer(request: ApiRequest): Answer | Refusal {
  const { method, path } = request
  if (request.headers['anthropic-version'] === undefined) {
    return new Refusal(400, 'anthropic-version: header is required')
  }
  if (method === 'POST' && path === '/v1/messages') return fromJson(request, message)
  if (method === 'POST' && path === '/v1/messages/count_tokens') return fromJson(request, tokenCount)
  if (method === 'GET' && path === '/v1/models') {
    const data = [...MODELS.keys()].map(modelInfo)
    return json({ data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null })
  }
  const id = /^\/v1\/models\/([^/]+)$/.exec(path)?.[1]
  if (method === 'GET' && id !== undefined) {
    return MODELS.has(id) ? json(modelInfo(id)) : new Refusal(404, `model: ${id}`)
  }
  return new Refusal(404, `There is no ${method} ${path} here.`)
}

function fromJson(request: ApiRequest, endpoint: (body: Json, id: string) => Answer | Refusal): Answer | Refusal {
  const body = parseObject(request.body)
  return body instanceof Refusal ? body : endpoint(body, fingerprint(request.body))
}

function modelInfo(id: string) {
  return {
    type: 'model',
    id,
    display_name: id,
    created_at: new Date(CREATED * 1000).toISOString(),
    lifecycle: 'active',
    line: null,
    capabilities: null,
    deprecated_at: null,
    retires_at: null,
    max_input_tokens: 200_000,
    max_tokens: 64_000,
  }
}

function promptOf(body: Json): Prompt | Refusal {
  if (typeof body.model !== 'string') return new Refusal(400, 'model: Field required')
  const turns = objectsIn(body.messages).map(turnOf)
  if (turns.length === 0) return new Refusal(400, 'messages: at least one message is required')
  const system = textsOf(body.system)
  return {
    model: body.model,
    turns: system.length > 0 ? [{ role: 'other', texts: system }, ...turns] : turns,
    tools: objectsIn(body.tools).flatMap(toolOf),
    toolChoice: toolChoiceOf(body.tool_choice),
    maxTokens: positiveInteger(body.max_tokens),
  }
}

function turnOf({ role, content }: Json): Turn {
  const result = objectsIn(content).find((block) => block.type === 'tool_result')
  if (result) return { role: 'tool', texts: textsOf(result.content) }
  return { role: role === 'user' ? 'user' : 'other', texts: textsOf(content) }
}

/** Only the client's own tools: those of the provider have a type and no schema. */
function toolOf({ name, input_schema: schema }: Json): Tool[] {
  return typeof name === 'string' && isObject(schema) ? [{ name, schema }] : []
}

function toolChoiceOf(choice: unknown): Prompt['toolChoice'] {
  if (!isObject(choice)) return 'auto'
  if (choice.type === 'tool' && typeof choice.name === 'string') return { name: choice.name }
  if (choice.type === 'any') return 'required'
  return choice.type === 'none' ? 'none' : 'auto'
}

function tokenCount(body: Json): Answer | Refusal {
  const prompt = promptOf(body)
  if (prompt instanceof Refusal) return prompt
  return json({ input_tokens: wordsIn(prompt.turns.flatMap((turn) => turn.texts)) })
}

function message(body: Json, id: string): Answer | Refusal {
  const prompt = promptOf(body)
  if (prompt instanceof Refusal) return prompt
  if (prompt.maxTokens === undefined) return new Refusal(400, 'max_tokens: Field required')
  const reply = compose(prompt)
  if (reply instanceof Refusal) return reply
  if (body.stream === true) return eventStream(reply, events(reply, id))
  const content = [contentBlock(reply, id, false)]
  const end = { content, stop_reason: stopReason(reply), usage: usage(reply, reply.pieces.length) }
  return json({ ...emptyMessage(reply, id), ...end }, reply.pieces.length, reply.model)
}

function emptyMessage(reply: Reply, id: string): object {
  return {
    id: `msg_${id}`,
    type: 'message',
    role: 'assistant',
    model: reply.modelName,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    container: null,
    diagnostics: null,
    usage: usage(reply, 0),
  }
}

function contentBlock(reply: Reply, id: string, isEmpty: boolean): object {
  if (reply.tool === undefined) return { type: 'text', text: isEmpty ? '' : reply.text }
  const input: unknown = isEmpty ? {} : JSON.parse(reply.text)
  return { type: 'tool_use', id: `toolu_${id}`, name: reply.tool, input, caller: { type: 'direct' } }
}

function* events(reply: Reply, id: string): Generator<Frame> {
  yield typedEvent({ type: 'message_start', message: emptyMessage(reply, id) })
  yield typedEvent({ type: 'content_block_start', index: 0, content_block: contentBlock(reply, id, true) })
  yield typedEvent({ type: 'ping' })
  for (const piece of reply.pieces) {
    const delta =
      reply.tool === undefined ? { type: 'text_delta', text: piece } : { type: 'input_json_delta', partial_json: piece }
    yield typedEvent({ type: 'content_block_delta', index: 0, delta }, true)
  }
  yield typedEvent({ type: 'content_block_stop', index: 0 })
  const delta = { stop_reason: stopReason(reply), stop_sequence: null, stop_details: null, container: null }
  yield typedEvent({ type: 'message_delta', delta, usage: usage(reply, reply.pieces.length) })
  yield typedEvent({ type: 'message_stop' })
}

function stopReason(reply: Reply): string {
  if (reply.tool !== undefined) return 'tool_use'
  return reply.isTruncated ? 'max_tokens' : 'end_turn'
}

function usage(reply: Reply, outputTokens: number): object {
  return {
    input_tokens: reply.inputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: outputTokens,
    service_tier: 'standard',
  }
}

function refuse(refusal: Refusal, requestId: string): JsonAnswer {
  const { status, message } = refusal
  const body = { type: 'error', error: { type: errorType(status), message }, request_id: requestId }
  return { ...json(body), status, headers: retryHeaders(refusal) }
}

function errorType(status: number): string {
  switch (status) {
    case 401:
      return 'authentication_error'
    case 404:
      return 'not_found_error'
    case 413:
      return 'request_too_large'
    case 429:
      return 'rate_limit_error'
    case 529:
      return 'overloaded_error'
    default:
      return status >= 500 ? 'api_error' : 'invalid_request_error'
  }
}
