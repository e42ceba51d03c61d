/** OpenAI's audio: text to sound, and sound to text. */
import { type Answer, type ApiRequest, type BinaryAnswer, type Frame, json, type StreamAnswer } from './api.ts'
import { dataEvent, EVENT_STREAM } from './event-stream.ts'
import { type Json, stringOr } from './json.ts'
import { makeMp3, makePcm, makeWav } from './media.ts'
import { type Model, modelNamed } from './models.ts'
import { type Part, parseForm } from './multipart.ts'
import { Refusal } from './refusal.ts'
import { wordsIn } from './reply.ts'

type Make = (words: number) => Buffer

const FORMATS: Readonly<Record<string, readonly [contentType: string, make: Make]>> = {
  mp3: ['audio/mpeg', makeMp3],
  wav: ['audio/wav', makeWav],
  pcm: ['audio/pcm', makePcm],
}

const STREAMED_BYTES = 4096

/** `POST /v1/audio/speech` */
export function speech(body: Json): Answer | Refusal {
  for (const name of ['model', 'input', 'voice'] as const) {
    if (body[name] === undefined) return new Refusal(400, `Missing required parameter: '${name}'.`)
  }
  const model = modelNamed(String(body.model))
  if (model.refusal) return model.refusal
  const name = stringOr(body.response_format, 'mp3')
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined
  if (format === undefined) {
    return new Refusal(400, `The stand-in makes ${Object.keys(FORMATS).join(', ')} and no other response_format.`)
  }
  const [contentType, make] = format
  const words = wordsIn([String(body.input)])
  const sound = make(words)
  if (body.stream_format === 'sse') return streamed(speechEvents(sound, words), words, model)
  return { kind: 'binary', contentType, body: sound, tokens: words, model }
}

function* speechEvents(sound: Buffer, words: number): Iterable<Frame> {
  for (let at = 0; at < sound.length; at += STREAMED_BYTES) {
    const audio = sound.subarray(at, at + STREAMED_BYTES).toString('base64')
    yield dataEvent({ type: 'speech.audio.delta', audio }, true)
  }
  const usage = { input_tokens: words, output_tokens: words, total_tokens: 2 * words }
  yield dataEvent({ type: 'speech.audio.done', usage })
}

/** `POST /v1/audio/transcriptions` and `/translations`: it has no ears, and tells what it got. */
export function transcription(request: ApiRequest): Answer | Refusal {
  const parts = parseForm(request.headers['content-type'], request.body)
  const file = parts?.find((part) => part.name === 'file')
  const name = fieldOf(parts, 'model')
  if (!file || name === undefined) return new Refusal(400, "The form must have a 'file' and a 'model'.")
  const model = modelNamed(name)
  if (model.refusal) return model.refusal
  const text = `You sent ${file.content.length} bytes of sound in ${file.filename ?? 'a file'}.`
  const tokens = wordsIn([text])
  if (fieldOf(parts, 'stream') === 'true') return streamed(transcriptEvents(text, usageOf(tokens)), tokens, model)
  switch (fieldOf(parts, 'response_format') ?? 'json') {
    case 'json':
      return json({ text, usage: usageOf(tokens) }, tokens, model)
    case 'verbose_json':
    case 'diarized_json':
      return json(
        { task: 'transcribe', language: 'english', duration: 1, text, segments: [segment(text)] },
        tokens,
        model,
      )
    case 'text':
      return plain(`${text}\n`, tokens, model)
    case 'srt':
      return plain(`1\n00:00:00,000 --> 00:00:01,000\n${text}\n\n`, tokens, model)
    case 'vtt':
      return plain(`WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n${text}\n\n`, tokens, model)
    default:
      return new Refusal(400, 'response_format must be json, text, srt, verbose_json, vtt or diarized_json.')
  }
}

function* transcriptEvents(text: string, usage: object): Iterable<Frame> {
  for (const delta of text.match(/\S+\s*/g) ?? []) yield dataEvent({ type: 'transcript.text.delta', delta }, true)
  yield dataEvent({ type: 'transcript.text.done', text, usage })
}

function usageOf(tokens: number): object {
  const details = { text_tokens: 0, audio_tokens: tokens }
  return {
    type: 'tokens',
    input_tokens: tokens,
    input_token_details: details,
    output_tokens: tokens,
    total_tokens: 2 * tokens,
  }
}

function segment(text: string): object {
  const odds = { temperature: 0, avg_logprob: 0, compression_ratio: 1, no_speech_prob: 0 }
  return { id: 0, seek: 0, start: 0, end: 1, text, tokens: [], ...odds }
}

function fieldOf(parts: readonly Part[] | undefined, name: string): string | undefined {
  return parts?.find((part) => part.name === name)?.content.toString()
}

function plain(text: string, tokens: number, model: Model): BinaryAnswer {
  return { kind: 'binary', contentType: 'text/plain; charset=utf-8', body: Buffer.from(text), tokens, model }
}

function streamed(frames: Iterable<Frame>, tokens: number, model: Model): StreamAnswer {
  return { kind: 'stream', contentType: EVENT_STREAM, frames, tokens, model }
}
