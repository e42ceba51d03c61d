import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { LOOK_BYTES } from '../../../src/llm/model-seeker.ts'
import { modelInTarget } from '../../../src/llm/path-model.ts'
import { seekModel } from '../../../src/llm/request-model.ts'

function modelIn(
  content: string | Buffer,
  type = 'application/json',
  size = Number.POSITIVE_INFINITY,
): string | null | undefined {
  const seeker = seekModel(type)
  if (seeker === undefined) return undefined
  const bytes = Buffer.from(content)
  for (let at = 0; at < bytes.length; at += size) seeker.add(bytes.subarray(at, at + size))
  const { model } = seeker
  seeker.release()
  return model ?? null
}

describe('the model of a request', () => {
  const long = 'say "model":"wrong" \\ '.repeat(500)
  for (const [name, content, model] of [
    ['first', '{"model":"m","input":"x"}', 'm'],
    ['last', JSON.stringify({ messages: [{ model: 'wrong', content: long }], model: 'm' }), 'm'],
    ['behind blanks and a mark of order', '\ufeff \n{ "model" :\t"m"}', 'm'],
    ['with escapes', '{"model":"m\\u00e9\\"x"}', 'mé"x'],
    ['of UTF-8', '{"model":"modèle"}', 'modèle'],
    ['below the top alone', '{"a":{"model":"wrong"},"b":[{"model":"wrong"}]}', null],
    ['in a text alone', JSON.stringify({ input: '{"model":"wrong"}' }), null],
    ['as a text that is no name', '{"a":"model","b":"wrong"}', null],
    ['not a text', '{"model":{"id":"wrong"},"x":"wrong"}', null],
    ['null', '{"model":null,"x":"wrong"}', null],
    ['in an array', '[{"model":"wrong"}]', null],
    ['in what is no JSON', 'model="wrong" "model":"wrong"', null],
    ['in two objects', '{}{"model":"wrong"}', null],
    ['too long', `{"model":"${'m'.repeat(600)}"}`, null],
    ['past what is looked at', JSON.stringify({ a: 'x'.repeat(LOOK_BYTES), model: 'm' }), null],
    ['cut where nobody looks any more', `{"a":"${'x'.repeat(LOOK_BYTES - 15)}","model":"m"}`, null],
  ] as const) {
    test(name, () => {
      for (const size of [Number.POSITIVE_INFINITY, 1, 3, 7, 1_000, 48_000]) {
        assert.equal(modelIn(content, 'application/json', size), model, `pieces of ${size}`)
      }
    })
  }

  test('is the one that JSON.parse finds', () => {
    const name = fc.constantFrom('model', 'a', 'b', '"model":', '\\')
    const value = fc.oneof(fc.string(), fc.dictionary(name, fc.string()), fc.array(fc.string()), fc.integer())
    fc.assert(
      fc.property(fc.dictionary(name, value), fc.integer({ min: 1, max: 40 }), (object, size) => {
        const { model } = object
        assert.equal(modelIn(JSON.stringify(object), '', size), typeof model === 'string' ? model : null)
      }),
    )
  })
})

describe('the model of a form', () => {
  const part = (head: string, value: string): string =>
    `--b\r\nContent-Disposition: form-data; ${head}\r\n\r\n${value}\r\n`
  const file = part(
    'name="file"; filename="a.mp3"\r\nContent-Type: audio/mpeg',
    'x\r\n--c\r\nname="model"\r\n\r\nwrong\r\n'.repeat(99),
  )
  for (const [name, content, model] of [
    ['before the file', `${part('name="model"', 'm')}${file}--b--\r\n`, 'm'],
    ['behind the file', `${file}${part('name="model"', 'm')}--b--\r\n`, 'm'],
    ['without quotes', `${part('name=model', 'm')}--b--\r\n`, 'm'],
    ['empty', `${part('name="model"', '')}--b--\r\n`, null],
    ['as the name of a file', `${part('name="file"; filename="model"', 'wrong')}--b--\r\n`, null],
    ['as another name', `${part('name="model_id"', 'wrong')}${part('name="the model"', 'wrong')}--b--\r\n`, null],
    ['behind the end', `--b--\r\n${part('name="model"', 'wrong')}`, null],
    [
      'past what is looked at',
      `${part('name="file"', 'x'.repeat(LOOK_BYTES))}${part('name="model"', 'm')}--b--\r\n`,
      null,
    ],
  ] as const) {
    test(name, () => {
      for (const size of [Number.POSITIVE_INFINITY, 1, 5, 333]) {
        assert.equal(modelIn(content, 'multipart/form-data; boundary=b', size), model, `pieces of ${size}`)
        assert.equal(modelIn(content, 'Multipart/Form-Data; boundary="b"', size), model, `pieces of ${size}`)
      }
    })
  }
})

test('other content has none', () => {
  for (const type of ['audio/mpeg', 'text/plain', 'multipart/form-data'])
    assert.equal(modelIn('{"model":"m"}', type), undefined)
})

test('the model of a target', () => {
  for (const [target, model] of [
    ['/v1beta/models/gemini-x:generateContent', 'gemini-x'],
    ['/v1/projects/p/locations/l/publishers/anthropic/models/claude@1:rawPredict?a=1', 'claude@1'],
    ['/model/us.anthropic.claude-v1%3A0/converse', 'us.anthropic.claude-v1:0'],
    ['/model/a%zz/invoke', 'a%zz'],
    ['/openai/deployments/team-chat/chat/completions?api-version=1', 'team-chat'],
    ['/v1/realtime?a=b&model=gpt-realtime', 'gpt-realtime'],
    ['/openai/realtime?deployment=rt', 'rt'],
    ['/v1/models', undefined],
    ['/v1/chat/completions?mymodel=x', undefined],
  ] as const) {
    assert.equal(modelInTarget(target), model, target)
  }
})

test('a path is looked at once, however long it is and whatever stands in it', () => {
  const startMs = performance.now()
  for (const repeated of ['a@', '@', ':', 'a:', '/models/a:', '/model/a/converse-', '/deployments']) {
    for (const start of ['/models/', '/model/', '/deployments/', '/endpoints/x@']) {
      modelInTarget(`${start}${repeated.repeat(262_144 / repeated.length)}!`)
    }
  }
  // A second at most on a busy machine; what goes back for each `@` takes half a minute.
  assert.ok(performance.now() - startMs < 5_000)
})
