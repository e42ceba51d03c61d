/** Google's Gemini API, `v1` and `v1beta`. */
import { type Answer, type Api, type ApiRequest, type Frame, type JsonAnswer, json } from './api.ts'
import { dataEvent, eventStream } from './event-stream.ts'
import { isObject, type Json, objectsIn, parseObject, positiveInteger } from './json.ts'
import { MODELS, modelNamed } from './models.ts'
import { Refusal, retryHeaders } from './refusal.ts'
import { compose, fingerprint, type Prompt, type Reply, type Tool, type Turn, textsOf, wordsIn } from './reply.ts'

export const gemini: Api = { answer, refuse, headers: () => ({}) }

const METHODS = ['generateContent', 'streamGenerateContent', 'countTokens']

function answer(request: ApiRequest): Answer | Refusal {
  const resource = /^\/v1(?:beta)?\/models(?:\/([^/:]+)(?::(\w+))?)?$/.exec(request.path)
  const [, id, method] = resource ?? []
  if (resource && request.method === 'GET' && method === undefined) {
    if (id === undefined) return json({ models: [...MODELS.keys()].map(modelInfo) })
    return MODELS.has(id) ? json(modelInfo(id)) : new Refusal(404, `models/${id} is not found.`)
  }
  if (request.method === 'POST' && id !== undefined && method !== undefined && METHODS.includes(method)) {
    const body = parseObject(request.body)
    return body instanceof Refusal ? body : generation(request, body, id, method)
  }
  return new Refusal(404, `There is no ${request.method} ${request.path} here.`)
}

function modelInfo(id: string): object {
  return {
    name: `models/${id}`,
    baseModelId: id,
    version: '1',
    displayName: id,
    description: modelNamed(id).about,
    inputTokenLimit: 1_048_576,
    outputTokenLimit: 65_536,
    supportedGenerationMethods: METHODS,
  }
}

function generation(request: ApiRequest, body: Json, model: string, method: string): Answer | Refusal {
  const prompt = promptOf(body, model)
  if (prompt instanceof Refusal) return prompt
  const reply = compose(prompt)
  if (reply instanceof Refusal) return reply
  const id = fingerprint(request.body)
  const tokens = reply.pieces.length
  if (method === 'countTokens') {
    const totalTokens = wordsIn(prompt.turns.flatMap((turn) => turn.texts))
    return json({ totalTokens, promptTokensDetails: [{ modality: 'TEXT', tokenCount: totalTokens }] })
  }
  if (method === 'generateContent') return json(chunk(reply, id, reply.text, tokens, true), tokens, reply.model)
  if (request.query.get('alt') === 'sse') return eventStream(reply, chunks(reply, id))
  return { ...eventStream(reply, arrayItems(chunks(reply, id))), contentType: 'application/json' }
}

/** REST takes both spellings of a field's name; the documentation's `curl` examples have the one, the SDKs the other. */
function either(object: Json, camelCase: string, snakeCase: string): unknown {
  return object[camelCase] ?? object[snakeCase]
}

function promptOf(body: Json, model: string): Prompt | Refusal {
  // A count may wrap the whole request: { generateContentRequest: { contents } }.
  const request = isObject(body.generateContentRequest) ? body.generateContentRequest : body
  const turns = objectsIn(request.contents).map(turnOf)
  if (turns.length === 0) return new Refusal(400, 'contents is not specified')
  const system = either(request, 'systemInstruction', 'system_instruction')
  const config = either(request, 'generationConfig', 'generation_config')
  const maxTokens = isObject(config) ? either(config, 'maxOutputTokens', 'max_output_tokens') : undefined
  return {
    model,
    turns: isObject(system) ? [{ role: 'other', texts: textsOf(system.parts) }, ...turns] : turns,
    tools: objectsIn(request.tools).flatMap(toolsOf),
    toolChoice: toolChoiceOf(either(request, 'toolConfig', 'tool_config')),
    maxTokens: positiveInteger(maxTokens),
  }
}

function turnOf({ role, parts }: Json): Turn {
  const result = objectsIn(parts)
    .map((part) => either(part, 'functionResponse', 'function_response'))
    .find(isObject)
  if (result) return { role: 'tool', texts: [JSON.stringify(result.response ?? null)] }
  return { role: role === 'model' ? 'other' : 'user', texts: textsOf(parts) }
}

function toolsOf(tool: Json): Tool[] {
  return objectsIn(either(tool, 'functionDeclarations', 'function_declarations')).flatMap((declaration) => {
    const schema = declaration.parametersJsonSchema ?? declaration.parameters
    return typeof declaration.name === 'string' ? [{ name: declaration.name, schema }] : []
  })
}

function toolChoiceOf(toolConfig: unknown): Prompt['toolChoice'] {
  const config = isObject(toolConfig)
    ? either(toolConfig, 'functionCallingConfig', 'function_calling_config')
    : undefined
  if (!isObject(config)) return 'auto'
  if (config.mode === 'NONE') return 'none'
  if (config.mode !== 'ANY') return 'auto'
  const allowed = either(config, 'allowedFunctionNames', 'allowed_function_names')
  return Array.isArray(allowed) && typeof allowed[0] === 'string' ? { name: allowed[0] } : 'required'
}

/** A whole response, or one piece of it: a stream consists of responses. The usage counts what has been said so far. */
function chunk(reply: Reply, id: string, text: string, tokens: number, isLast: boolean): object {
  const part =
    reply.tool === undefined ? { text } : { functionCall: { id, name: reply.tool, args: JSON.parse(reply.text) } }
  const end = isLast ? { finishReason: reply.isTruncated ? 'MAX_TOKENS' : 'STOP' } : {}
  return {
    candidates: [{ content: { role: 'model', parts: [part] }, ...end, index: 0 }],
    usageMetadata: {
      promptTokenCount: reply.inputTokens,
      candidatesTokenCount: tokens,
      totalTokenCount: reply.inputTokens + tokens,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: reply.inputTokens }],
    },
    modelVersion: reply.modelName,
    responseId: id,
  }
}

function* chunks(reply: Reply, id: string): Generator<Frame> {
  const { length } = reply.pieces
  // A function call comes in one piece.
  if (reply.tool !== undefined) return yield dataEvent(chunk(reply, id, '', length, true), true)
  for (const [index, piece] of reply.pieces.entries()) {
    yield dataEvent(chunk(reply, id, piece, index + 1, index + 1 === length), true)
  }
}

/** Without `alt=sse` the stream is one JSON array, whose items come one by one. */
function* arrayItems(events: Iterable<Frame>): Generator<Frame> {
  let separator = '['
  for (const { text, isToken } of events) {
    yield { text: `${separator}${text.slice('data: '.length).trimEnd()}`, isToken }
    separator = ',\r\n'
  }
  yield { text: ']', isToken: false }
}

function refuse(refusal: Refusal): JsonAnswer {
  const { status: code, message, retryAfterSeconds: wait } = refusal
  const details = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${wait}s` }]
  const error = { code, message, status: errorStatus(code), ...(wait === undefined ? {} : { details }) }
  return { ...json({ error }), status: code, headers: retryHeaders(refusal) }
}

function errorStatus(code: number): string {
  switch (code) {
    case 401:
      return 'UNAUTHENTICATED'
    case 404:
      return 'NOT_FOUND'
    case 429:
      return 'RESOURCE_EXHAUSTED'
    case 500:
      return 'INTERNAL'
    default:
      return code > 500 ? 'UNAVAILABLE' : 'INVALID_ARGUMENT'
  }
}
