import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import type { Message } from '../support/message.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'

const bytesOf = (message: Message): string => message.head + message.rawBody.toString('latin1')

const PAGE = 'https://app.example'
const cors = { allow_origins: [PAGE, 'http://localhost:5173'] }

function preflight(origin: string, ...lines: string[]): string {
  return ['OPTIONS /up/v1/chat/completions HTTP/1.1', 'Host: a', `Origin: ${origin}`, ...lines, '', ''].join('\r\n')
}

const WISH = ['Access-Control-Request-Method: POST', 'Access-Control-Request-Headers: authorization,content-type']

test('a preflight is answered before a key is asked for, and recorded', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ server: { cors }, ...upTo(origin) })
  using client = await connect(gateway.port)
  void client.write(preflight(PAGE, ...WISH))
  const response = await client.response()
  assert.deepEqual(
    [response.startLine, ...response.lines],
    [
      'HTTP/1.1 204 No Content',
      `Access-Control-Allow-Origin: ${PAGE}`,
      'Access-Control-Allow-Methods: POST',
      'Access-Control-Allow-Headers: authorization,content-type',
      'Access-Control-Max-Age: 600',
      'Vary: Origin',
    ],
  )
  const record = await gateway.waitForRecord()
  assert.deepEqual(
    [record.method, record.status, record.outcome, record.error],
    ['OPTIONS', 204, 'complete', undefined],
  )
  void client.write(get('/up/x'))
  assert.equal((await client.response(1)).text, 'ok', 'the connection is kept')
  assert.equal(origin.requests.length, 1)
})

for (const [what, request] of [
  ['an origin that is not let in', preflight('https://evil.example', ...WISH)],
  ['another port', preflight(`${PAGE}:8443`, ...WISH)],
  ['the origin in capitals', preflight('https://APP.example', ...WISH)],
  ['null', preflight('null', ...WISH)],
  ['two origins', preflight(PAGE, `Origin: ${PAGE}`, ...WISH)],
  ['no wish', preflight(PAGE)],
  ['another method than OPTIONS', preflight(PAGE, ...WISH).replace('OPTIONS', 'GET')],
  ['a method that is none', preflight(PAGE, 'Access-Control-Request-Method: P OST')],
  ['a field that is none', preflight(PAGE, WISH[0]!, 'Access-Control-Request-Headers: a<b>')],
] as const) {
  test(`${what}: 401 as without a key`, async () => {
    await using origin = await startOrigin()
    await using gateway = await startGateway({ server: { cors }, ...upTo(origin) })
    assert.equal((await exchange(gateway.port, request)).status, 401)
  })
}

test('without cors a preflight is what it was', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  const response = await exchange(gateway.port, preflight(PAGE, ...WISH))
  assert.equal(response.status, 401)
  assert.deepEqual(response.values('access-control-allow-origin'), [])
})

test('with a key it goes to a provider that answers them itself, unless its origin is let in here', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ server: { cors }, ...upTo(origin) })
  const key = `Authorization: Bearer ${CLIENT_KEY}`
  assert.equal((await exchange(gateway.port, preflight('https://other.example', key, ...WISH))).status, 200)
  assert.equal((await exchange(gateway.port, preflight(PAGE, key, ...WISH))).status, 204)
  assert.equal(origin.requests.length, 1)
})

test('an answer of the gateway can be read by the page, its error field included', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ server: { cors }, ...upTo(origin) })
  const response = await exchange(gateway.port, get('/up/x', `Origin: ${PAGE}`).replace(CLIENT_KEY, 'wrong'))
  assert.equal(response.status, 401)
  assert.deepEqual(response.values('access-control-allow-origin'), [PAGE])
  assert.deepEqual(response.values('access-control-expose-headers'), ['x-fluxgate-error'])
  assert.deepEqual(response.values('vary'), ['Origin'])
  const other = await exchange(gateway.port, get('/up/x', 'Origin: https://evil.example').replace(CLIENT_KEY, 'wrong'))
  assert.deepEqual(other.values('access-control-allow-origin'), [])
})

for (const [what, answer, allowed, vary] of [
  ['that says nothing of origins gets the field', 'Vary: Accept\r\n', [PAGE], ['Accept', 'Origin']],
  ['that has the field is untouched', 'access-control-allow-origin: *\r\n', ['*'], []],
  [
    'that lets another in is untouched',
    'Access-Control-Allow-Origin: https://b.example\r\n',
    ['https://b.example'],
    [],
  ],
] as const) {
  test(`an answer of a provider ${what}`, async () => {
    const bytes = `HTTP/1.1 200 OK\r\n${answer}Transfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n`
    await using origin = await startOrigin(bytes)
    await using gateway = await startGateway({ server: { cors }, ...upTo(origin) })
    const response = await exchange(gateway.port, get('/up/x', `Origin: ${PAGE}`))
    assert.equal(response.text, 'yes')
    assert.deepEqual(response.values('access-control-allow-origin'), allowed)
    assert.deepEqual(response.values('vary'), vary)
    assert.deepEqual(response.values('access-control-expose-headers'), [])
    const plain = await exchange(gateway.port, get('/up/x'))
    assert.equal(bytesOf(plain), bytes, 'without an origin nothing is added')
  })
}

test('no page sends cookies along, also where the provider would have that for origins that it knows', async () => {
  const more = 'Connection: Access-Control-Allow-Credentials'
  for (const hop of ['', `${more}\r\n`]) {
    const answer = (credentials: string, origins: string): string =>
      `HTTP/1.1 200 OK\r\n${credentials}A: 1\r\n${credentials}Content-Length: 2\r\n${origins}\r\nok`
    const credentials = 'access-control-allow-credentials: true\r\n'
    await using origin = await startOrigin(answer(credentials, hop))
    await using gateway = await startGateway({ server: { cors }, ...upTo(origin) })
    const response = await exchange(gateway.port, get('/up/x', `Origin: ${PAGE}`))
    const allowed = `Access-Control-Allow-Origin: ${PAGE}\r\nVary: Origin\r\n`
    assert.equal(bytesOf(response), answer('', allowed))
    if (hop === '') assert.equal(bytesOf(await exchange(gateway.port, get('/up/x'))), answer(credentials, ''))
  }
})

test('* lets every page in', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ server: { cors: { allow_origins: ['*'] } }, ...upTo(origin) })
  const response = await exchange(gateway.port, preflight('https://any.example', ...WISH))
  assert.deepEqual([response.status, response.values('access-control-allow-origin')], [204, ['*']])
})

test('a preflight that brings content is answered, and its connection still good for the next request', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ server: { cors }, ...upTo(origin) })
  using client = await connect(gateway.port)
  void client.write(preflight(PAGE, ...WISH, 'Content-Length: 5').concat('hello', get('/up/x')))
  assert.equal((await client.response()).status, 204)
  assert.equal((await client.response(1)).text, 'ok')
})
