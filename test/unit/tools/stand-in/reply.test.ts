import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from '../../../../src/tools/stand-in/refusal.ts'
import { compose, type Prompt, type Reply, textsOf, wordsIn } from '../../../../src/tools/stand-in/reply.ts'

function replyTo(said: string, prompt: Partial<Prompt> = {}): Reply {
  const turns = [{ role: 'user' as const, texts: [said] }]
  const reply = compose({ model: 'any', turns, tools: [], toolChoice: 'auto', maxTokens: undefined, ...prompt })
  assert.ok(!(reply instanceof Refusal))
  return reply
}

const TOOLS = [
  { name: 'read', schema: {} },
  { name: 'get-weather', schema: {} },
]

test('its pieces are its text', () => {
  for (const said of ['hi', '', '  spaces \n and\tlines ', '日本語 😀 ok']) {
    const reply = replyTo(said)
    assert.equal(reply.pieces.join(''), reply.text)
    assert.match(reply.text, said.trim() === '' ? /^You said nothing/ : /^You said: /)
  }
})

test('shortens what it repeats without breaking a character', () => {
  const reply = replyTo('😀'.repeat(1000))
  assert.equal(reply.text.split('\n')[0], `You said: ${'😀'.repeat(400)}…`)
  assert.ok(replyTo(`${'a'.repeat(400)}`).text.includes(`${'a'.repeat(400)}\n`))
})

test('calls the tool that is named as a word of its own, else the first when "tool" is said', () => {
  const called = (said: string) => replyTo(said, { tools: TOOLS }).tool
  assert.equal(called('what does get-weather, say'), 'get-weather')
  assert.equal(called('please use a tool.'), 'read')
  assert.equal(called('I already toolbox'), undefined)
  assert.equal(replyTo('use a tool').tool, undefined)
})

test('forced tools: the one that is named, or none that is unknown', () => {
  assert.equal(replyTo('hi', { tools: TOOLS, toolChoice: { name: 'get-weather' } }).tool, 'get-weather')
  assert.equal(replyTo('use a tool', { tools: TOOLS, toolChoice: { name: 'other' } }).tool, undefined)
  assert.equal(replyTo('hi', { tools: TOOLS, toolChoice: 'required' }).tool, 'read')
  const turns = [{ role: 'tool' as const, texts: ['done'] }]
  assert.equal(replyTo('', { turns, tools: TOOLS, toolChoice: 'required' }).tool, undefined)
})

test('makes arguments that the schema allows', () => {
  const schema = {
    type: 'OBJECT',
    properties: {
      text: { type: ['string', 'null'] },
      choice: { enum: ['a', 'b'] },
      count: { type: 'INTEGER' },
      flag: { type: 'boolean' },
      list: { type: 'array' },
      inner: { type: 'object', properties: { none: { type: 'null' } } },
      optional: { type: 'string' },
    },
    required: ['text', 'choice', 'count', 'flag', 'list', 'inner'],
  }
  const reply = replyTo('tool', { tools: [{ name: 'x', schema }] })
  const expected = { text: 'stand-in', choice: 'a', count: 1, flag: true, list: [], inner: { none: null } }
  assert.deepEqual(JSON.parse(reply.pieces.join('')), expected)
})

test('survives a schema that contains itself', () => {
  const schema: Record<string, unknown> = { type: 'object' }
  schema.properties = { self: schema }
  const reply = replyTo('tool', { tools: [{ name: 'x', schema }] })
  assert.match(reply.text, /^(\{"self":)+"stand-in"\}+$/)
})

test('finds texts in every shape of content and counts their words', () => {
  assert.deepEqual(
    textsOf([{ type: 'text', text: 'a b' }, 'c', 7, { content: [{ text: 'd' }] }, { content: 'e' }, {}]),
    ['a b', 'c', 'd', 'e'],
  )
  assert.deepEqual([textsOf(undefined), textsOf({ text: 'x' })], [[], []])
  assert.equal(wordsIn(['a b', ' c\n', '']), 3)
})
