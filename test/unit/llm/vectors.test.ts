import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createEstimator } from '../../../src/llm/estimate.ts'
import { ContentTap } from '../../../src/llm/tap.ts'
import type { Usage } from '../../../src/llm/usage.ts'
import { CODINGS, hasCoding, piecesOf } from '../../support/usage-codings.ts'
import { answerOf, bytesOf, faultsOf, fieldsOf, type UsageCase, usageCases } from '../../support/usage-vectors.ts'

const exchanges = usageCases.filter(({ kind, method }) => kind !== 'ws' && method === 'POST')

function usageOf(tap: ContentTap): Promise<Usage> {
  return new Promise((settle) => tap.result(settle))
}

function play(
  one: UsageCase,
  pieces: readonly Buffer[],
  how: 'complete' | 'broken' = 'complete',
  more: Record<string, string> = {},
): Promise<Usage> {
  const tap = new ContentTap({ dialect: 'auto', estimator: createEstimator(), now: () => 0 })
  tap.requestHead(one.target, one.request_type)
  tap.request(bytesOf(one.request))
  tap.responseHead(one.status!, fieldsOf(one, more))
  for (const piece of pieces) tap.response(piece)
  tap.end(how)
  return usageOf(tap)
}

describe('usage of the vectors, whole', () => {
  for (const one of exchanges) {
    test(one.id, async () => {
      const usage = await play(one, [answerOf(one)])
      assert.deepEqual(faultsOf(one, usage), [], JSON.stringify(usage))
    })
  }
})

/** Cut at these places, which differ from case to case and are the same every time. */
function cut(bytes: Buffer, seed: number): Buffer[] {
  const pieces: Buffer[] = []
  let at = 0
  for (let state = seed; at < bytes.length; ) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    const length = 1 + (state % 700)
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return pieces
}

describe('usage of the vectors is the same', () => {
  for (const [index, one] of exchanges.entries()) {
    const bytes = answerOf(one)
    const isBig = bytes.length > 20_000
    test(`${one.id}: cut anywhere`, async () => {
      const whole = await play(one, [bytes])
      for (let seed = 0; seed < 5; seed++) assert.deepEqual(await play(one, cut(bytes, index * 7 + seed)), whole)
      const offsets = isBig ? [1, 2_047, 2_048, 2_049, 10_239, 10_240, 10_241, bytes.length - 1] : bytes.keys()
      for (const at of offsets) {
        assert.deepEqual(await play(one, [bytes.subarray(0, at), bytes.subarray(at)]), whole, `cut at ${at}`)
      }
      if (!isBig)
        assert.deepEqual(
          await play(
            one,
            Array.from(bytes, (byte) => Buffer.from([byte])),
          ),
          whole,
        )
    })
    if (hasCoding(one)) continue
    for (const [name, encode] of Object.entries(CODINGS)) {
      test(`${one.id}: ${name}`, async () => {
        const coded = await encode(piecesOf(one))
        const field = { 'content-encoding': name.split(/[ ,]/)[0]! }
        for (const pieces of [coded, cut(Buffer.concat(coded), index)]) {
          const usage = await play(one, pieces, 'complete', field)
          assert.deepEqual(faultsOf(one, usage), [], JSON.stringify(usage))
        }
      })
    }
  }
})

describe('what breaks off', () => {
  for (const one of exchanges) {
    if (one.expect['usage'] !== 'exact') continue
    test(`${one.id}: at every tenth`, async () => {
      const bytes = answerOf(one)
      for (let tenth = 0; tenth < 10; tenth++) {
        const usage = await play(one, [bytes.subarray(0, Math.floor((bytes.length * tenth) / 10))], 'broken')
        assert.ok(['partial', 'estimated', 'none'].includes(usage.usage), `${tenth}/10: ${usage.usage}`)
        for (const name of ['input_tokens', 'output_tokens', 'cached_tokens'] as const) {
          const got =
            usage[
              ({ input_tokens: 'inputTokens', output_tokens: 'outputTokens', cached_tokens: 'cachedTokens' } as const)[
                name
              ]
            ]
          const most = one.expect[name]
          if (typeof most === 'number')
            assert.ok((got ?? 0) <= most, `${tenth}/10: ${name} ${got} is more than ${most}`)
        }
      }
    })
  }
})
