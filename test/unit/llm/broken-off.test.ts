import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { play } from '../../support/usage-tap.ts'
import { answerOf, fieldsOf, type UsageCase, usageCases } from '../../support/usage-vectors.ts'

/** Small enough to be cut at each octet, and not compressed. */
const MAX_BYTES = 8_000

function answerAt(one: UsageCase, to: number | undefined, how: 'complete' | 'broken') {
  return play({
    target: one.target,
    type: fieldsOf(one)('content-type') ?? '',
    status: one.status!,
    answer: answerOf(one).subarray(0, to),
    how,
  })
}

/** Octets behind which an event, a line or a frame may end, so that nobody can see that more should come. */
function isBetweenEvents(bytes: Buffer, at: number, type: string): boolean {
  if (at === 0 || type.includes('eventstream')) return isBetweenFrames(bytes, at)
  const text = bytes.toString('latin1')
  return /[\r\n]/.test(text[at] ?? '\n') || /[\r\n]/.test(text[at - 1]!)
}

function isBetweenFrames(bytes: Buffer, to: number): boolean {
  let at = 0
  while (at < to) at += bytes.readUInt32BE(at)
  return at === to
}

describe('no answer is exact that ends within something', () => {
  for (const one of usageCases) {
    const type = fieldsOf(one)('content-type') ?? ''
    if (one.kind === 'ws' || one.expect['usage'] !== 'exact' || fieldsOf(one)('content-encoding') !== undefined)
      continue
    const bytes = answerOf(one)
    if (bytes.length > MAX_BYTES) continue
    test(one.id, async () => {
      const whole = await answerAt(one, undefined, 'complete')
      for (let at = 0; at < bytes.length; at++) {
        for (const how of ['complete', 'broken'] as const) {
          const { usage, reason, ...counts } = await answerAt(one, at, how)
          assert.notEqual(reason, 'bug')
          if (usage !== 'exact') continue
          // A provider may have said its last figures before its last octet.
          const isSame = ['inputTokens', 'outputTokens', 'cachedTokens', 'costUsd'].every(
            (name) => Reflect.get(counts, name) === Reflect.get(whole, name),
          )
          const isUnseen = how === 'complete' && isBetweenEvents(bytes, at, type)
          assert.ok(isSame || isUnseen, `exact, ${how} at ${at}: ${JSON.stringify(counts)}`)
        }
      }
    })
  }
})
