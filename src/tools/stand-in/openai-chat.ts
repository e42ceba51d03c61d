/** OpenAI's chat completions, whole and streamed. */
import { type Answer, CREATED, type Frame, json } from './api.ts'
import { dataEvent, eventStream } from './event-stream.ts'
import { isObject, type Json, objectsIn, positiveInteger } from './json.ts'
import { toolChoiceOf, toolsOf, turnOf } from './openai-prompt.ts'
import { Refusal } from './refusal.ts'
import { compose, type Reply } from './reply.ts'

export function chatCompletion(body: Json, id: string): Answer | Refusal {
  if (typeof body.model !== 'string') return new Refusal(400, "Missing required parameter: 'model'.")
  const turns = objectsIn(body.messages).map(turnOf)
  if (turns.length === 0) return new Refusal(400, "Missing required parameter: 'messages'.")
  const reply = compose({
    model: body.model,
    turns,
    tools: toolsOf(body.tools),
    toolChoice: toolChoiceOf(body.tool_choice),
    maxTokens: positiveInteger(body.max_completion_tokens) ?? positiveInteger(body.max_tokens),
  })
  if (reply instanceof Refusal) return reply
  const withUsage = isObject(body.stream_options) && body.stream_options.include_usage === true
  if (body.stream === true) return eventStream(reply, chunks(reply, id, withUsage))
  return json(completion(reply, id), reply.pieces.length, reply.model)
}

function completion(reply: Reply, id: string): object {
  const call = { id: `call_${id}`, type: 'function', function: { name: reply.tool, arguments: reply.text } }
  const content = reply.tool === undefined ? { content: reply.text } : { content: null, tool_calls: [call] }
  return {
    id: `chatcmpl-${id}`,
    object: 'chat.completion',
    created: CREATED,
    model: reply.modelName,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', ...content, refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: finishReason(reply),
      },
    ],
    usage: usage(reply),
  }
}

function* chunks(reply: Reply, id: string, withUsage: boolean): Generator<Frame> {
  const head = { id: `chatcmpl-${id}`, object: 'chat.completion.chunk', created: CREATED, model: reply.modelName }
  const noUsage = withUsage ? { usage: null } : {}
  function chunk(delta: object, isToken: boolean, finish: string | null = null): Frame {
    return dataEvent(
      { ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }], ...noUsage },
      isToken,
    )
  }
  if (reply.tool === undefined) {
    yield chunk({ role: 'assistant', content: '', refusal: null }, false)
    for (const content of reply.pieces) yield chunk({ content }, true)
  } else {
    const call = { index: 0, id: `call_${id}`, type: 'function', function: { name: reply.tool, arguments: '' } }
    yield chunk({ role: 'assistant', content: null, tool_calls: [call] }, false)
    for (const piece of reply.pieces) yield chunk({ tool_calls: [{ index: 0, function: { arguments: piece } }] }, true)
  }
  yield chunk({}, false, finishReason(reply))
  if (withUsage) yield dataEvent({ ...head, choices: [], usage: usage(reply) })
  yield { text: 'data: [DONE]\n\n', isToken: false }
}

function finishReason(reply: Reply): string {
  if (reply.tool !== undefined) return 'tool_calls'
  return reply.isTruncated ? 'length' : 'stop'
}

function usage(reply: Reply): object {
  const { inputTokens, pieces } = reply
  return {
    prompt_tokens: inputTokens,
    completion_tokens: pieces.length,
    total_tokens: inputTokens + pieces.length,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
  }
}
