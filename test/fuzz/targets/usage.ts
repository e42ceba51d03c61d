import assert from 'node:assert/strict'
import { createEstimator } from '../../../src/llm/estimate.ts'
import { ContentTap } from '../../../src/llm/tap.ts'
import { countOf, type Usage } from '../../../src/llm/usage.ts'
import { answerOf, bytesOf, fieldsOf, usageCases } from '../../support/usage-vectors.ts'
import { cut } from '../messages.ts'
import { placesIn } from '../random.ts'
import type { TextTarget } from '../target.ts'

/** The type of an answer, a line, and its content: larger ones are left to the vectors' own test. */
const MAX_LENGTH = 20_000

function read(text: string, pieces: readonly string[], how: 'complete' | 'broken'): Usage {
  const [type = ''] = text.split('\n', 1)
  const tap = new ContentTap({ dialect: 'auto', estimator: createEstimator(), now: () => 0 })
  tap.requestHead('/v1/x', 'application/json')
  // The same text as a request, of which only the model matters.
  for (const piece of pieces) tap.request(Buffer.from(piece, 'latin1'))
  tap.responseHead(200, (name) => (name === 'content-type' ? type : undefined))
  for (const piece of pieces) tap.response(Buffer.from(piece, 'latin1'))
  tap.end(how)
  let found: Usage | undefined
  tap.result((usage) => (found = usage))
  assert.ok(found !== undefined, 'nothing is said of what is not compressed')
  return found
}

export const usage: TextTarget = {
  name: 'usage',
  about: 'usage is read from any answer without a bug, in pieces too, and every count is one',
  corpus: () =>
    usageCases
      .filter(({ kind }) => kind !== 'ws')
      .map((one) => `${fieldsOf(one)('content-type') ?? ''}\n${answerOf(one).toString('latin1')}`)
      .concat(usageCases.map(({ request }) => `application/json\n${bytesOf(request).toString('latin1')}`))
      .filter(({ length }) => length < MAX_LENGTH),
  spice: [
    '"usage":{',
    '"model":"',
    '}',
    '{',
    '[',
    ']',
    '"',
    '\\',
    ',',
    ':',
    '\n\n',
    '\r\n',
    'data: ',
    'data: [DONE]\n\n',
    'x'.repeat(9_000),
  ],
  check(text) {
    const content = text.slice(text.indexOf('\n') + 1)
    const whole = read(text, [content], 'complete')
    assert.notEqual(whole.reason, 'bug')
    const places = placesIn(content)
    assert.deepEqual(read(text, cut(content, places), 'complete'), whole, 'another usage when it comes in pieces')
    for (const [name, value] of Object.entries(whole)) {
      if (name.endsWith('Tokens') && value !== undefined) assert.equal(countOf(value), value, `${name} is no count`)
    }
    assert.ok(
      (whole.cachedTokens ?? 0) <= (whole.inputTokens ?? Number.MAX_SAFE_INTEGER),
      'a part is larger than its whole',
    )
    const broken = read(text, [content.slice(0, content.length / 2)], 'broken')
    assert.notEqual(broken.reason, 'bug')
    return [whole.usage, whole.reason, whole.model !== undefined, whole.units !== undefined, broken.usage].join(' ')
  },
}
