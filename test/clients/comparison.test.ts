/** What the other tests here rely on: that a difference is seen. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MessageReader } from '../support/message.ts'
import { described } from './described.ts'
import { collect, received, startParity, type Target } from './parity.ts'
import { stream, whole } from './scripted-origin.ts'

const parity = await startParity()
const reply = whole({ answer: 'Grüße' }, [])

function request(head: readonly string[], body: string): object {
  let seen: object | undefined
  const reader = new MessageReader({
    kind: 'request',
    onHead: () => {},
    onEnd: (message) => {
      seen = received({ message }, 'http://a:1')
    },
  })
  reader.push(Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`))
  assert.ok(seen, 'not a whole request')
  return seen
}

const HEAD = ['POST /v1/x?a=1 HTTP/1.1', 'host: a:1', 'connection: keep-alive', 'X-Y: z', 'content-length: 2']

test('requests are the same only if their bytes are', () => {
  const first = request(HEAD, 'ok')
  assert.deepEqual(request(HEAD, 'ok'), first)
  assert.deepEqual(request(HEAD.toSpliced(2, 1), 'ok'), first) // Connection is not relayed.
  for (const [n, line] of [
    [0, 'POST /v1/x?a=%31 HTTP/1.1'],
    [1, 'host: a:2'],
    [3, 'x-y: z'],
    [3, 'X-Y:  z'],
    [4, 'content-length: 02'],
  ] as const) {
    assert.notDeepEqual(request(HEAD.with(n, line), 'ok'), first, line)
  }
  assert.notDeepEqual(request(HEAD, 'oK'), first)
  assert.notDeepEqual(request(HEAD.toSpliced(3, 0, 'x-fluxgate-key: k'), 'ok'), first)
})

test('chunks and forms are the same whatever their boundary', () => {
  const head = ['POST / HTTP/1.1', 'host: a:1', 'transfer-encoding: chunked']
  assert.notDeepEqual(request(head, '2\r\nok\r\n0\r\n\r\n'), request(head, '1\r\no\r\n1\r\nk\r\n0\r\n\r\n'))
  const form = (boundary: string, text: string): object => {
    const body = `--${boundary}\r\n\r\n${text}\r\n--${boundary}--\r\n`
    const type = `content-type: multipart/form-data; boundary=${boundary}`
    return request(['POST / HTTP/1.1', 'host: a:1', type, `content-length: ${body.length}`], body)
  }
  assert.deepEqual(form('one-1', 'text'), form('two-2', 'text'))
  assert.notDeepEqual(form('one-1', 'text'), form('two-2', 'Text'))
})

test('values are the same only if all they carry is', () => {
  const plain = (value: unknown): unknown => described(value, (text) => text.replaceAll('key-1', '(key)'))
  class Refused extends Error {}
  const error = (fields: Record<string, string>, make: new (text: string) => Error = Error): Error =>
    Object.assign(new make('no'), { headers: new Headers(fields) })
  assert.deepEqual(plain(error({ a: '1', connection: 'close' })), plain(error({ a: '1' })))
  assert.notDeepEqual(plain(error({ a: '1' })), plain(error({ a: '2' })))
  assert.notDeepEqual(plain(error({ a: '1' })), plain(error({ a: '1' }, Refused)))
  assert.notDeepEqual(
    plain(new Error('a', { cause: new Error('b') })),
    plain(new Error('a', { cause: new Error('c') })),
  )
  assert.notDeepEqual(plain(new Response(null, { status: 201 })), plain(new Response(null)))
  assert.notDeepEqual(plain([1, [2]]), plain([1, [3]]))
  assert.deepEqual(plain({ a: 'key-1' }), { name: 'Object', a: '(key)' })
})

function call(path: string, more: (target: Target) => RequestInit = () => ({})) {
  return async (target: Target) => {
    const authorization = `Bearer ${target.key}`
    const response = await fetch(`${target.url}${path}`, { headers: { authorization }, ...more(target) })
    return { response, text: await response.text() }
  }
}

test('a call that is the same both times passes, and one that is not fails', async () => {
  const { value } = await parity.same([reply], call('/v1'))
  assert.equal(value.text, '{"answer":"Grüße"}')
  const isDirect = (target: Target): boolean => target.url === parity.direct.url
  await assert.rejects(
    parity.same(
      [reply],
      call('/v1', (target) => ({ method: isDirect(target) ? 'PUT' : 'POST' })),
    ),
  )
  await assert.rejects(parity.same([reply], (target) => call(isDirect(target) ? '/v1' : '/v2')(target)))
  await assert.rejects(parity.same([reply], async (target) => [await call('/v1')(target), isDirect(target)]))
  await assert.rejects(parity.same([reply], call('/v1'), { outcome: 'client_abort' }))
  await assert.rejects(parity.sameError([reply], call('/v1')), /did not fail/)
  await assert.rejects(parity.refused(parity.relayed, 'unauthorized', call('/v1')), /was not refused/)
  await assert.rejects(parity.same([reply], async () => 'no request at all'))
})

test('a held event is not sent before it is released', async () => {
  const events = stream('text/event-stream', ['data: Grüße\n\n', 'data: 2\n\n'], [])
  const { value } = await parity.same([{ ...events, held: 1 }], async (target, script) => {
    const response = await fetch(target.url, { headers: { authorization: `Bearer ${target.key}` } })
    const reader = response.body!.pipeThrough(new TextDecoderStream())
    let before = ''
    for await (const text of reader.values({ preventCancel: true })) {
      before += text
      if (before.endsWith('\n\n')) break
    }
    script.release()
    return { before, rest: (await collect(reader)).join('') }
  })
  assert.deepEqual(value, { before: 'data: Grüße\n\n', rest: 'data: 2\n\n' })
})
