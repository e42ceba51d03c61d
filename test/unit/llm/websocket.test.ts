import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createEstimator, type Estimator } from '../../../src/llm/estimate.ts'
import { ContentTap } from '../../../src/llm/tap.ts'
import type { Usage } from '../../../src/llm/usage.ts'
import { faultsOf, type UsageCase, usageCases } from '../../support/usage-vectors.ts'
import { framesOf, type Sent } from '../../support/websocket-frames.ts'

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
