/** OpenAI's images: a tiny one of a colour that depends on the prompt. */
import { type Answer, type ApiRequest, CREATED, type Frame, json } from './api.ts'
import { dataEvent, EVENT_STREAM } from './event-stream.ts'
import { type Json, positiveInteger } from './json.ts'
import { makePng } from './media.ts'
import { modelNamed } from './models.ts'
import { parseForm } from './multipart.ts'
import { Refusal } from './refusal.ts'
import { fingerprint, wordsIn } from './reply.ts'

const MAX_IMAGES = 10

interface Wanted {
  readonly model: string
  readonly prompt: string
  readonly count: number
  /** A link, which older models answer with, instead of the bytes. */
  readonly asUrl: boolean
  readonly isStreamed: boolean
}

/** `POST /v1/images/generations` */
export function imageGeneration(body: Json): Answer | Refusal {
  if (typeof body.prompt !== 'string') return new Refusal(400, "Missing required parameter: 'prompt'.")
  return draw({
    model: String(body.model ?? ''),
    prompt: body.prompt,
    count: Math.min(positiveInteger(body.n) ?? 1, MAX_IMAGES),
    asUrl: body.response_format === 'url',
    isStreamed: body.stream === true,
  })
}

/** `POST /v1/images/edits` and `/variations` */
export function imageEdit(request: ApiRequest): Answer | Refusal {
  const parts = parseForm(request.headers['content-type'], request.body) ?? []
  const value = (name: string): string | undefined => parts.find((part) => part.name === name)?.content.toString()
  const image = parts.find((part) => part.name === 'image' || part.name === 'image[]')
  if (image === undefined) return new Refusal(400, "The form must have an 'image'.")
  return draw({
    model: value('model') ?? '',
    prompt: value('prompt') ?? fingerprint(image.content),
    count: Math.min(positiveInteger(Number(value('n'))) ?? 1, MAX_IMAGES),
    asUrl: value('response_format') === 'url',
    isStreamed: value('stream') === 'true',
  })
}

function draw({ model: name, prompt, count, asUrl, isStreamed }: Wanted): Answer | Refusal {
  const model = modelNamed(name)
  if (model.refusal) return model.refusal
  const tokens = wordsIn([prompt])
  const images = Array.from({ length: count }, (_, n) => {
    return makePng(fingerprint(Buffer.from(`${prompt}${n}`)).slice(0, 6)).toString('base64')
  })
  const kind = { background: 'opaque', output_format: 'png', quality: 'low', size: '8x8' }
  const details = { text_tokens: tokens, image_tokens: 0 }
  const usage = { total_tokens: tokens + 1, input_tokens: tokens, output_tokens: 1, input_tokens_details: details }
  if (isStreamed) {
    return { kind: 'stream', contentType: EVENT_STREAM, frames: events(images, { ...kind, usage }), tokens: 1, model }
  }
  const data = images.map((b64) => (asUrl ? { url: `data:image/png;base64,${b64}` } : { b64_json: b64 }))
  return json({ created: CREATED, ...kind, data, usage }, 1, model)
}

function* events(images: readonly string[], rest: object): Iterable<Frame> {
  for (const b64_json of images) {
    const data = { type: 'image_generation.completed', b64_json, created_at: CREATED, ...rest }
    yield dataEvent(data, true)
  }
}
