/** Sound and images of the stand-in, as OpenAI's own client gets them. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { crc32, inflateSync } from 'node:zlib'
import OpenAI, { BadRequestError, NotFoundError, RateLimitError, toFile } from 'openai'
import { STAND_IN_KEY, startStandIn } from '../../../../src/tools/stand-in/stand-in.ts'
import { collect } from './collect.ts'

const standIn = await startStandIn({ tokenDelayMs: 1 })
after(() => standIn.close())

const client = new OpenAI({ apiKey: STAND_IN_KEY, baseURL: `http://127.0.0.1:${standIn.port}/v1`, maxRetries: 0 })
const spoken = { model: 'tts-1', voice: 'alloy', input: 'one two three' } as const

async function bytesOf(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer())
}

test('says something in MP3, of whole frames', async () => {
  const response = await client.audio.speech.create(spoken)
  assert.equal(response.headers.get('content-type'), 'audio/mpeg')
  const bytes = await bytesOf(response)
  assert.equal(bytes.length % 104, 0)
  assert.ok(bytes.length >= 104 * 11, '300 ms')
  for (let at = 0; at < bytes.length; at += 104) assert.equal(bytes.readUInt32BE(at), 0xfffb10c4)
})

test('says something in WAV, whose header tells its length', async () => {
  const response = await client.audio.speech.create({ ...spoken, response_format: 'wav' })
  assert.equal(response.headers.get('content-type'), 'audio/wav')
  const bytes = await bytesOf(response)
  assert.equal(bytes.toString('latin1', 0, 4) + bytes.toString('latin1', 8, 16), 'RIFFWAVEfmt ')
  assert.deepEqual([bytes.readUInt32LE(4), bytes.readUInt32LE(40)], [bytes.length - 8, bytes.length - 44])
  assert.equal(bytes.length - 44, (24_000 * 2 * 3) / 10)
  const pcm = await bytesOf(await client.audio.speech.create({ ...spoken, response_format: 'pcm' }))
  assert.deepEqual(pcm, bytes.subarray(44))
})

test('says it in events, which make up the same sound', async () => {
  const whole = await bytesOf(await client.audio.speech.create({ ...spoken, response_format: 'wav' }))
  const response = await client.audio.speech.create({ ...spoken, response_format: 'wav', stream_format: 'sse' })
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/)
  const events = (await response.text())
    .trim()
    .split('\n\n')
    .map((event) => JSON.parse(event.slice('data: '.length)) as { type: string; audio?: string })
  assert.equal(events.at(-1)?.type, 'speech.audio.done')
  const pieces = events.slice(0, -1).map(({ audio }) => Buffer.from(audio ?? '', 'base64'))
  assert.deepEqual(Buffer.concat(pieces), whole)
})

test('refuses speech as OpenAI does', async () => {
  const create = (more: object) => client.audio.speech.create({ ...spoken, ...more })
  await assert.rejects(create({ response_format: 'opus' }), BadRequestError)
  await assert.rejects(create({ input: undefined }), BadRequestError)
  await assert.rejects(create({ model: 'stand-in-429' }), RateLimitError)
})

const sound = () => toFile(Buffer.from('RIFF0123'), 'hello.wav')
const HEARD = 'You sent 8 bytes of sound in hello.wav.'

test('hears something in every format', async () => {
  const request = async (more: object) => ({ file: await sound(), model: 'whisper-1', ...more }) as const
  assert.equal((await client.audio.transcriptions.create(await request({}))).text, HEARD)
  const verbose = await client.audio.transcriptions.create({
    file: await sound(),
    model: 'whisper-1',
    response_format: 'verbose_json',
  })
  assert.deepEqual([verbose.text, verbose.segments?.length], [HEARD, 1])
  for (const [format, text] of [
    ['text', `${HEARD}\n`],
    ['srt', `1\n00:00:00,000 --> 00:00:01,000\n${HEARD}\n\n`],
    ['vtt', `WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n${HEARD}\n\n`],
  ] as const) {
    const answer = await client.audio.transcriptions.create(await request({ response_format: format }))
    assert.equal(answer as unknown as string, text)
  }
  assert.equal((await client.audio.translations.create(await request({}))).text, HEARD)
  await assert.rejects(
    client.audio.transcriptions.create({ file: await sound(), model: 'stand-in-404' }),
    NotFoundError,
  )
})

test('hears something in events', async () => {
  const stream = await client.audio.transcriptions.create({
    file: await sound(),
    model: 'gpt-4o-transcribe',
    stream: true,
  })
  const events = await collect(stream)
  const deltas = events.flatMap((event) => (event.type === 'transcript.text.delta' ? [event.delta] : []))
  assert.equal(deltas.join(''), HEARD)
  const last = events.at(-1)
  assert.equal(last?.type === 'transcript.text.done' && last.text, HEARD)
})

/** The pixels, after everything in the file was held against its checksum. */
function pixelsOf(png: Buffer): Buffer {
  assert.equal(png.toString('latin1', 0, 8), '\x89PNG\r\n\x1a\n')
  let pixels = Buffer.alloc(0)
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at)
    const body = png.subarray(at + 4, at + 8 + length)
    assert.equal(png.readUInt32BE(at + 8 + length), crc32(body))
    if (body.toString('latin1', 0, 4) === 'IDAT') pixels = inflateSync(body.subarray(4))
    at += length + 12
  }
  return pixels
}

test('draws as many images as are asked for', async () => {
  const { data } = await client.images.generate({ model: 'gpt-image-1', prompt: 'a cat', n: 2 })
  assert.equal(data?.length, 2)
  for (const { b64_json } of data ?? [])
    assert.equal(pixelsOf(Buffer.from(b64_json!, 'base64')).length, 8 * (1 + 8 * 3))
  const linked = await client.images.generate({ model: 'dall-e-2', prompt: 'a cat', response_format: 'url' })
  assert.equal(linked.data?.[0]?.url, `data:image/png;base64,${data?.[0]?.b64_json}`)
  await assert.rejects(client.images.generate({ model: 'stand-in-429', prompt: 'a cat' }), RateLimitError)
})

test('edits an image, and draws one in events', async () => {
  const image = await toFile(Buffer.from('any'), 'a.png', { type: 'image/png' })
  const edited = await client.images.edit({ image, prompt: 'a hat', model: 'gpt-image-1' })
  pixelsOf(Buffer.from(edited.data![0]!.b64_json!, 'base64'))
  const stream = await client.images.generate({ model: 'gpt-image-1', prompt: 'a cat', stream: true })
  assert.deepEqual(
    (await collect(stream)).map(({ type }) => type),
    ['image_generation.completed'],
  )
})

test('moderates nothing', async () => {
  const { results } = await client.moderations.create({ input: ['a', 'b'] })
  assert.deepEqual(
    results.map(({ flagged }) => flagged),
    [false, false],
  )
})

test('what it does not have is not what the gateway cannot carry', async () => {
  await assert.rejects(client.batches.list(), /GET \/v1\/batches.*the stand-in has no such endpoint/)
})
