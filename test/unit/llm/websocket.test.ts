import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { decodersAtWork } from '../../../src/llm/decoders.ts'
import { createEstimator, type Estimator } from '../../../src/llm/estimate.ts'
import { ContentTap } from '../../../src/llm/tap.ts'
import type { Usage } from '../../../src/llm/usage.ts'
import { faultsOf, type UsageCase, usageCases } from '../../support/usage-vectors.ts'
import { deflater, frame, framesOf, type Sent } from '../../support/websocket-frames.ts'

const tunnels = usageCases.filter(({ kind }) => kind === 'ws')

function play(one: UsageCase, sent: readonly Sent[], size = Number.POSITIVE_INFINITY): Promise<Usage> {
  return playWith(createEstimator(), one, sent, size)
}

function playWith(estimator: Estimator, one: UsageCase, sent: readonly Sent[], size: number): Promise<Usage> {
  const tap = new ContentTap({ dialect: 'auto', estimator, now: () => 0 })
  tap.requestHead(one.target, undefined)
  tap.responseHead(101, (name) =>
    name === 'sec-websocket-extensions' && one.deflate === true ? 'permessage-deflate' : undefined,
  )
  for (const { from, bytes } of sent) {
    for (let at = 0; at < bytes.length; at += size) {
      const piece = bytes.subarray(at, at + size)
      if (from === 'client') tap.request(piece)
      else tap.response(piece)
    }
  }
  tap.end('broken')
  return new Promise((settle) => tap.result(settle))
}

describe('usage of a tunnel', () => {
  for (const one of tunnels) {
    test(one.id, async () => {
      const sent = await framesOf(one)
      const whole = await play(one, sent)
      assert.deepEqual(faultsOf(one, whole), [], JSON.stringify(whole))
      for (const size of [1, 2, 7, 100]) assert.deepEqual(await play(one, sent, size), whole)
    })
    test(`${one.id}, deflated`, async () => {
      const deflated = { ...one, deflate: true }
      const usage = await play(deflated, await framesOf(deflated))
      assert.deepEqual(faultsOf(one, usage), [], JSON.stringify(usage))
    })
  }
})

function send(sent: readonly Sent[], extensions?: string): Promise<Usage> {
  const tap = new ContentTap({ dialect: 'auto', estimator: createEstimator(), now: () => 0 })
  tap.requestHead('/v1/responses', undefined)
  tap.responseHead(101, (name) => (name === 'sec-websocket-extensions' ? extensions : undefined))
  for (const { from, bytes } of sent) {
    if (from === 'client') tap.request(bytes)
    else tap.response(bytes)
  }
  tap.end('complete')
  return new Promise((settle) => tap.result(settle))
}

function server(first: number, payload: string | Buffer): Sent {
  return { from: 'server', bytes: frame(first, Buffer.from(payload)) }
}

const CREATED = JSON.stringify({ type: 'response.created', response: { model: 'm' } })
const COMPLETED = JSON.stringify({
  type: 'response.completed',
  response: { model: 'm', usage: { input_tokens: 3, output_tokens: 4 } },
})

describe('a tunnel', () => {
  test('of which messages come deflated and others as they are keeps their order', async () => {
    const deflate = deflater()
    const sent: Sent[] = []
    for (let turn = 0; turn < 5; turn++) {
      sent.push(server(0xc1, await deflate(Buffer.from(CREATED))), server(0x81, COMPLETED))
      sent.push(server(0x81, CREATED), server(0xc1, await deflate(Buffer.from(COMPLETED))))
    }
    const usage = await send(sent, 'permessage-deflate; server_max_window_bits=15')
    assert.deepEqual([usage.usage, usage.inputTokens, usage.outputTokens], ['exact', 30, 40])
    assert.equal(decodersAtWork(), 0)
  })

  test('whose messages end the stream of their deflate is read to its end', async () => {
    const sent = [CREATED, COMPLETED, CREATED, COMPLETED].map((text) => server(0xc1, deflateRawSync(text)))
    const usage = await send(sent, 'permessage-deflate')
    assert.deepEqual([usage.usage, usage.outputTokens], ['exact', 8])
  })

  test('tells of each turn as it comes', () => {
    const turns: unknown[] = []
    const tap = new ContentTap({
      dialect: 'auto',
      estimator: createEstimator(),
      now: () => 0,
      onTurn: ({ input, output }, model) => turns.push([input, output, model]),
    })
    tap.responseHead(101, () => undefined)
    for (const text of [CREATED, COMPLETED, CREATED, COMPLETED]) tap.response(server(0x81, text).bytes)
    assert.deepEqual(turns, [
      [3, 4, 'm'],
      [3, 4, 'm'],
    ])
    tap.end('complete')
  })

  test('with messages larger than what is kept of them', async () => {
    const filler = 'x'.repeat(50_000)
    const completed = {
      type: 'response.completed',
      response: { model: 'm', output: [{ usage: 1, text: filler }], usage: { input_tokens: 3, output_tokens: 4 } },
    }
    const usage = await send([server(0x81, CREATED), server(0x81, JSON.stringify(completed))])
    assert.deepEqual([usage.usage, usage.outputTokens], ['exact', 4])
  })

  test('of another protocol is not read', () => {
    const tap = new ContentTap({ dialect: 'auto', estimator: createEstimator(), now: () => 0 })
    tap.responseHead(101, (name) => (name === 'upgrade' ? 'tls/1.0' : undefined))
    tap.response(Buffer.alloc(100, 0x0f))
    tap.end('complete')
    tap.result(({ usage, reason }) => assert.deepEqual([usage, reason], ['none', undefined]))
  })

  test('that only its client talks in is none', async () => {
    const mask = Buffer.from([1, 2, 3, 4])
    const text = JSON.stringify({ type: 'response.create', model: 'asked', usage: { input_tokens: 9 } })
    const usage = await send([{ from: 'client', bytes: frame(0x81, Buffer.from(text), mask) }])
    assert.deepEqual([usage.usage, usage.model, usage.inputTokens], ['none', 'asked', undefined])
  })

  test('of frames that are none is given up, and what was counted stays', async () => {
    for (const [name, bytes] of Object.entries({
      'a continuation of nothing': frame(0x80, Buffer.from('x')),
      'an opcode of nobody': frame(0x83, Buffer.from('x')),
      'a length past all numbers': Buffer.from('817fffffffffffffffff', 'hex'),
      'a message within a message': Buffer.concat([frame(0x01, Buffer.from('x')), frame(0x81, Buffer.from('x'))]),
      'deflated where nothing was agreed': frame(0xc1, Buffer.from('x')),
    })) {
      const alone = await send([{ from: 'server', bytes }])
      assert.deepEqual([alone.usage, alone.reason], ['unknown', 'malformed'], name)
      const later = await send([server(0x81, CREATED), server(0x81, COMPLETED), { from: 'server', bytes }])
      assert.deepEqual([later.usage, later.outputTokens], ['partial', 4], name)
    }
  })

  test('of which the deflate is broken is given up', async () => {
    const usage = await send([server(0xc1, Buffer.from('ffffffffffff', 'hex'))], 'permessage-deflate')
    assert.deepEqual([usage.usage, usage.reason], ['unknown', 'corrupt'])
    while (decodersAtWork() > 0) await new Promise((turn) => setImmediate(turn))
  })

  test('that is faster than its decoder is given up', async () => {
    const usage = await send([server(0xc1, deflateRawSync(randomBytes(1_200_000)))], 'permessage-deflate')
    assert.deepEqual([usage.usage, usage.reason], ['unknown', 'overload'])
    while (decodersAtWork() > 0) await new Promise((turn) => setImmediate(turn))
  })

  test('whose messages are empty is given up before they fill the memory, and its end comes', async () => {
    const empty = frame(0xc1, Buffer.alloc(0))
    const sent: Sent[] = [{ from: 'server', bytes: Buffer.concat(Array.from({ length: 100_000 }, () => empty)) }]
    const usage = await send(sent, 'permessage-deflate')
    assert.deepEqual([usage.usage, usage.reason], ['unknown', 'overload'])
    while (decodersAtWork() > 0) await new Promise((turn) => setImmediate(turn))
  })

  test('whose plain messages wait for a deflated one is given up before they fill the memory', async () => {
    const bomb = server(0xc1, await deflater()(Buffer.alloc(50_000_000, ' ')))
    const plain = server(0x81, COMPLETED)
    const usage = await send([bomb, ...Array.from({ length: 10_000 }, () => plain)], 'permessage-deflate')
    assert.equal(usage.reason, 'overload')
    while (decodersAtWork() > 0) await new Promise((turn) => setImmediate(turn))
  })

  test('whose message is a bomb is given up', async () => {
    const usage = await send([server(0xc1, deflateRawSync(Buffer.alloc(80_000_000, ' ')))], 'permessage-deflate')
    assert.deepEqual([usage.usage, usage.reason], ['unknown', 'too_large'])
    while (decodersAtWork() > 0) await new Promise((turn) => setImmediate(turn))
  })

  test('whose message comes in pieces of one octet is read', async () => {
    const deflated = await deflater()(
      Buffer.from(JSON.stringify({ ...JSON.parse(COMPLETED), filler: randomBytes(9_000).toString('hex') })),
    )
    const pieces = Array.from(deflated, (byte, at): Sent => {
      const isLast = at === deflated.length - 1
      return { from: 'server', bytes: frame((isLast ? 0x80 : 0) | (at === 0 ? 0x41 : 0), Buffer.from([byte])) }
    })
    const usage = await send([server(0x81, CREATED), ...pieces], 'permessage-deflate')
    assert.deepEqual([usage.usage, usage.outputTokens], ['exact', 4])
  })

  test('of which a turn says nothing that counts is not exact', async () => {
    const of = (usage: object): Sent => server(0x81, JSON.stringify({ type: 'response.done', response: { usage } }))
    const good = of({ input_tokens: 3, output_tokens: 4 })
    for (const [usage, wanted] of [
      [{ input_tokens: -1, output_tokens: 'x' }, 'partial'],
      [{}, 'exact'],
      [{ input_tokens: null }, 'exact'],
    ] as const) {
      for (const turns of [
        [of(usage), good],
        [good, of(usage)],
      ]) {
        const { usage: state, outputTokens } = await send(turns)
        assert.deepEqual([state, outputTokens], [wanted, 4])
      }
    }
  })

  test('of Gemini Live is estimated by all of a turn', async () => {
    const live = (value: object): Sent => server(0x81, JSON.stringify(value))
    const asked = frame(0x81, Buffer.from('{"setup":{"model":"g"}}'), Buffer.from([1, 2, 3, 4]))
    const turn = (count: number): Sent[] => [
      { from: 'client', bytes: asked },
      ...Array.from({ length: count }, () => live({ serverContent: { modelTurn: { parts: [{ text: 'word' }] } } })),
    ]
    const ended = live({ usageMetadata: { promptTokenCount: 5, responseTokenCount: 40 } })
    const estimator = createEstimator()
    const one = tunnels[0]!
    await playWith(estimator, one, [...turn(10), ended], 1_000)
    const broken = await playWith(estimator, one, [...turn(10), ended, ...turn(5)], 1_000)
    assert.deepEqual([broken.usage, broken.outputTokens], ['partial', 60])
  })

  test('whose client deflates its second message alone is known by it', async () => {
    const mask = Buffer.from([1, 2, 3, 4])
    const { model } = await send(
      [
        { from: 'client', bytes: frame(0x81, Buffer.from('{"type":"x"}'), mask) },
        { from: 'client', bytes: frame(0xc1, deflateRawSync('{"model":"asked"}'), mask) },
      ],
      'permessage-deflate',
    )
    assert.equal(model, 'asked')
  })

  test('is estimated for the turn in which it broke off, by those before it', async () => {
    const estimator = createEstimator()
    const delta = JSON.stringify({ type: 'response.output_text.delta', delta: 'word' })
    const turn = (count: number): Sent[] => [
      server(0x81, CREATED),
      ...Array.from({ length: count }, () => server(0x81, delta)),
    ]
    const one = tunnels[0]!
    await playWith(estimator, one, [...turn(4), server(0x81, COMPLETED)], 1_000)
    const broken = await playWith(estimator, one, [...turn(4), server(0x81, COMPLETED), ...turn(3)], 1_000)
    assert.deepEqual([broken.usage, broken.outputTokens], ['partial', 7])
    const alone = await playWith(estimator, one, turn(2), 1_000)
    assert.deepEqual([alone.usage, alone.outputTokens], ['estimated', 2])
  })
})
