/** OpenAI's responses, whole and streamed. */
import { type Answer, CREATED, type Frame, json } from './api.ts'
import { eventStream, typedEvent } from './event-stream.ts'
import { type Json, objectsIn, positiveInteger } from './json.ts'
import { toolChoiceOf, toolsOf, turnOf } from './openai-prompt.ts'
import { Refusal } from './refusal.ts'
import { compose, type Reply, type Turn, textsOf } from './reply.ts'

export function modelResponse(body: Json, id: string): Answer | Refusal {
  if (typeof body.model !== 'string') return new Refusal(400, "Missing required parameter: 'model'.")
  const turns = turnsOf(body)
  if (turns.length === 0) return new Refusal(400, "Missing required parameter: 'input'.")
  const reply = compose({
    model: body.model,
    turns,
    tools: toolsOf(body.tools),
    toolChoice: toolChoiceOf(body.tool_choice),
    maxTokens: positiveInteger(body.max_output_tokens),
  })
  if (reply instanceof Refusal) return reply
  if (body.stream === true) return eventStream(reply, events(reply, body, id))
  return json(finished(reply, body, id), reply.pieces.length, reply.model)
}

function turnsOf(body: Json): Turn[] {
  const input: Turn[] =
    typeof body.input === 'string' ? [{ role: 'user', texts: [body.input] }] : objectsIn(body.input).map(turnOf)
  const instructions = textsOf(body.instructions)
  return instructions.length > 0 && input.length > 0 ? [{ role: 'other', texts: instructions }, ...input] : input
}

/** The response without its output; it repeats what it was asked with. */
function response(reply: Reply, body: Json, id: string): object {
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: CREATED,
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    model: reply.modelName,
    output: [],
    parallel_tool_calls: true,
    previous_response_id: body.previous_response_id ?? null,
    store: body.store ?? true,
    temperature: body.temperature ?? 1,
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_p: body.top_p ?? 1,
    truncation: 'disabled',
    usage: null,
  }
}

function finished(reply: Reply, body: Json, id: string): object {
  return {
    ...response(reply, body, id),
    status: reply.isTruncated ? 'incomplete' : 'completed',
    incomplete_details: reply.isTruncated ? { reason: 'max_output_tokens' } : null,
    output: [outputItem(reply, id)],
    usage: {
      input_tokens: reply.inputTokens,
      input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
      output_tokens: reply.pieces.length,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: reply.inputTokens + reply.pieces.length,
    },
  }
}

function textPart(text: string): object {
  return { type: 'output_text', annotations: [], logprobs: [], text }
}

/** The one item of the output, finished or (at the start of a stream) still empty. */
function outputItem(reply: Reply, id: string, isEmpty = false): Record<string, unknown> {
  const status = isEmpty ? 'in_progress' : reply.isTruncated ? 'incomplete' : 'completed'
  if (reply.tool !== undefined) {
    const call = { call_id: `call_${id}`, name: reply.tool, arguments: isEmpty ? '' : reply.text }
    return { id: `fc_${id}`, type: 'function_call', status, ...call }
  }
  const content = isEmpty ? [] : [textPart(reply.text)]
  return { id: `msg_${id}`, type: 'message', status, role: 'assistant', content }
}

function* events(reply: Reply, body: Json, id: string): Generator<Frame> {
  let sequence = 0
  const event = (type: string, fields: object, isToken = false): Frame =>
    typedEvent({ type, sequence_number: sequence++, ...fields }, isToken)
  const item = outputItem(reply, id)
  const place = { item_id: item.id, output_index: 0 }

  yield event('response.created', { response: response(reply, body, id) })
  yield event('response.in_progress', { response: response(reply, body, id) })
  yield event('response.output_item.added', { output_index: 0, item: outputItem(reply, id, true) })
  if (reply.tool === undefined) {
    const part = { ...place, content_index: 0 }
    yield event('response.content_part.added', { ...part, part: textPart('') })
    for (const delta of reply.pieces) yield event('response.output_text.delta', { ...part, delta, logprobs: [] }, true)
    yield event('response.output_text.done', { ...part, text: reply.text, logprobs: [] })
    yield event('response.content_part.done', { ...part, part: textPart(reply.text) })
  } else {
    for (const delta of reply.pieces) yield event('response.function_call_arguments.delta', { ...place, delta }, true)
    yield event('response.function_call_arguments.done', { ...place, name: reply.tool, arguments: reply.text })
  }
  yield event('response.output_item.done', { output_index: 0, item })
  const last = reply.isTruncated ? 'response.incomplete' : 'response.completed'
  yield event(last, { response: finished(reply, body, id) })
}
