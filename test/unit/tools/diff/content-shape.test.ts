import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { describeContents } from '../../../../src/tools/diff/content-shape.ts'

const event = (data: string, name?: string): string =>
  `${name === undefined ? '' : `event: ${name}\n`}data: ${data}\n\n`

const openai = (...texts: string[]): string =>
  `${texts.map((text) => event(`{"object":"chunk","text":"${text}"}`)).join('')}${event('[DONE]')}`

const anthropic = (...names: string[]): string => names.map((name) => event('{}', name)).join('')

describe('two contents are told apart:', () => {
  for (const [name, straight, gateway, description] of [
    [
      'members with other values',
      '{"id":1,"choices":[{"message":{"content":"a","role":"r"}},{"message":{"content":"b"}}]}',
      '{"id":2,"choices":[{"message":{"content":"a","role":"r"}},{"message":{"content":"c"}}]}',
      'other values in id, choices[].message.content',
    ],
    ['members on one side', '{"a":1,"b":1}', '{"a":1,"c":1}', 'only straight: b; only through the gateway: c'],
    ['the same, written otherwise', '{"a":1}', '{ "a": 1 }', 'the same JSON, written in another way'],
    ['values themselves', '1', '2', 'other values in the value itself'],
    [
      'more than anybody reads',
      '[{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1}]',
      '[]',
      'only straight: [].a, [].b, [].c, [].d, [].e, [].f and 2 more',
    ],
    ['events', openai('a', 'b'), openai('a', 'b', 'c'), '3 and 4 events, both chunk, [DONE]'],
    [
      'other events',
      anthropic('start', 'delta', 'delta', 'stop'),
      anthropic('start', 'delta', 'error'),
      '4 and 3 events: start, delta, stop straight, start, delta, error through the gateway',
    ],
    ['neither', 'plain', 'text', undefined],
    ['one of each', '{}', 'text', undefined],
  ] as const) {
    test(name, () => assert.equal(describeContents(Buffer.from(straight), Buffer.from(gateway)), description))
  }
})
