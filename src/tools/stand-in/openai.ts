/** OpenAI's API: its routes, the small ones of its endpoints, and how it words a refusal. */
import { type Answer, type Api, type ApiRequest, CREATED, type JsonAnswer, json } from './api.ts'
import { type Json, parseObject, positiveInteger, stringOr } from './json.ts'
import { MODELS, modelNamed } from './models.ts'
import { parseForm } from './multipart.ts'
import { speech, transcription } from './openai-audio.ts'
import { chatCompletion } from './openai-chat.ts'
import { imageEdit, imageGeneration } from './openai-images.ts'
import { modelResponse } from './openai-responses.ts'
import { Refusal, retryHeaders } from './refusal.ts'
import { fingerprint, wordsIn } from './reply.ts'

const DEFAULT_DIMENSIONS = 16
const MAX_DIMENSIONS = 4096

export const openai: Api = { answer, refuse, headers: (requestId) => ({ 'x-request-id': requestId }) }

function answer(request: ApiRequest): Answer | Refusal {
  const { method, path } = request
  switch (`${method} ${path}`) {
    case 'GET /v1/models':
      return json({ object: 'list', data: [...MODELS.keys()].map(modelObject) })
    case 'POST /v1/chat/completions':
      return fromJson(request, chatCompletion)
    case 'POST /v1/responses':
      return fromJson(request, modelResponse)
    case 'POST /v1/embeddings':
      return fromJson(request, embeddings)
    case 'POST /v1/files':
      return fileUpload(request)
    case 'POST /v1/audio/speech':
      return fromJson(request, speech)
    case 'POST /v1/audio/transcriptions':
    case 'POST /v1/audio/translations':
      return transcription(request)
    case 'POST /v1/images/generations':
      return fromJson(request, imageGeneration)
    case 'POST /v1/images/edits':
    case 'POST /v1/images/variations':
      return imageEdit(request)
    case 'POST /v1/moderations':
      return fromJson(request, moderation)
  }
  const id = /^\/v1\/models\/([^/]+)$/.exec(path)?.[1]
  if (method !== 'GET' || id === undefined) return new Refusal(404, unknown(method, path))
  if (MODELS.has(id)) return json(modelObject(id))
  return new Refusal(404, `The model '${id}' does not exist.`, { code: 'model_not_found' })
}

/** Somebody tries what a provider has and wonders whether the gateway cannot carry it. */
function unknown(method: string, path: string): string {
  return `Invalid URL (${method} ${path}): the stand-in has no such endpoint. The gateway carries any.`
}

function moderation(body: Json, id: string): Answer | Refusal {
  const inputs = inputsOf(body.input)
  if (inputs.length === 0) return new Refusal(400, "Missing required parameter: 'input'.")
  const results = inputs.map(() => ({ flagged: false, categories: {}, category_scores: {} }))
  return json({ id: `modr-${id}`, model: stringOr(body.model, 'stand-in-1'), results })
}

function fromJson(request: ApiRequest, endpoint: (body: Json, id: string) => Answer | Refusal): Answer | Refusal {
  const body = parseObject(request.body)
  return body instanceof Refusal ? body : endpoint(body, fingerprint(request.body))
}

function modelObject(id: string): object {
  return { id, object: 'model', created: CREATED, owned_by: 'fluxgate' }
}

function embeddings(body: Json): Answer | Refusal {
  if (typeof body.model !== 'string') return new Refusal(400, "Missing required parameter: 'model'.")
  const inputs = inputsOf(body.input)
  if (inputs.length === 0) return new Refusal(400, "Missing required parameter: 'input'.")
  const { refusal } = modelNamed(body.model)
  if (refusal) return refusal
  const dimensions = Math.min(positiveInteger(body.dimensions) ?? DEFAULT_DIMENSIONS, MAX_DIMENSIONS)
  const data = inputs.map((input, index) => {
    const vector = vectorOf(input, dimensions)
    const embedding = body.encoding_format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : [...vector]
    return { object: 'embedding', index, embedding }
  })
  const tokens = wordsIn(inputs)
  return json({ object: 'list', data, model: body.model, usage: { prompt_tokens: tokens, total_tokens: tokens } })
}

/** A text, several, or the same as lists of token numbers, which are as good as words. */
function inputsOf(input: unknown): string[] {
  if (typeof input === 'string') return [input]
  if (!Array.isArray(input)) return []
  if (input.every((item) => typeof item === 'number')) return input.length > 0 ? [input.join(' ')] : []
  return input.map((item: unknown) => (Array.isArray(item) ? item.join(' ') : String(item)))
}

/** A unit vector that depends on nothing but the text: equal texts are near each other, and that is all it means. */
function vectorOf(text: string, dimensions: number): Float32Array<ArrayBuffer> {
  let state = Number.parseInt(fingerprint(Buffer.from(text)).slice(0, 8), 16) || 1
  const vector = Float32Array.from({ length: dimensions }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state / 2 ** 31
  })
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}

function fileUpload(request: ApiRequest): Answer | Refusal {
  const parts = parseForm(request.headers['content-type'], request.body)
  const file = parts?.find((part) => part.name === 'file')
  const purpose = parts?.find((part) => part.name === 'purpose')
  if (!file || !purpose) return new Refusal(400, "The form must have a 'file' and a 'purpose'.")
  return json({
    id: `file-${fingerprint(file.content)}`,
    object: 'file',
    bytes: file.content.length,
    created_at: CREATED,
    filename: stringOr(file.filename, 'file'),
    purpose: purpose.content.toString(),
    status: 'processed',
  })
}

function refuse(refusal: Refusal): JsonAnswer {
  const { status, message, code } = refusal
  const error = { message, type: errorType(status), param: null, code: code ?? null }
  const wait = refusal.retryAfterSeconds
  const headers = { ...retryHeaders(refusal), ...(wait === undefined ? {} : { 'retry-after-ms': String(wait * 1000) }) }
  return { ...json({ error }), status, headers }
}

function errorType(status: number): string {
  if (status === 429) return 'requests'
  return status >= 500 ? 'server_error' : 'invalid_request_error'
}
