import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { ok, upTo } from '../support/bytes.ts'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

/** A request of a client whose `Authorization` is its own login at the provider. */
function request(target: string, authorization?: string): string {
  const login = authorization === undefined ? '' : `Authorization: ${authorization}\r\n`
  return `GET /up${target} HTTP/1.1\r\nHost: a\r\nx-fluxgate-key: ${CLIENT_KEY}\r\n${login}\r\n`
}

const pass = { credential: 'pass', api_key: undefined }

const logins: readonly (readonly [what: string, authorization: string | undefined, answer: string])[] = [
  ['Authorization: NTLM went over it', 'NTLM TlRMTVNTUAABAAAA', ok('in')],
  ['Authorization: Negotiate went over it', 'negotiate YII=', ok('in')],
  ['a challenge of NTLM came back', undefined, unauthorized('NTLM')],
  ['a challenge of Negotiate came back', 'Basic eDp5', unauthorized('Negotiate, Basic realm="x"')],
  ['a challenge of Negotiate came back among others', undefined, unauthorized('Basic realm="x"', 'Negotiate')],
]

function unauthorized(...challenges: string[]): string {
  const lines = challenges.map((challenge) => `WWW-Authenticate: ${challenge}\r\n`).join('')
  return `HTTP/1.1 401 Unauthorized\r\n${lines}Content-Length: 0\r\n\r\n`
}

for (const [what, authorization, answer] of logins) {
  test(`after ${what}, its client alone gets it`, async () => {
    await using origin = await startOrigin(answer)
    await using gateway = await startGateway(upTo(origin, pass))
    using client = await connect(gateway.port)
    void client.write(request('/1', authorization))
    await client.response(0)
    origin.answer = ok('yes')
    using other = await connect(gateway.port)
    void other.write(request('/2'))
    await other.response()
    void client.write(request('/3'))
    await client.response(1)
    const [first, second, third] = origin.requests
    assert.notEqual(second!.connection, first!.connection, "another client's request went over it")
    assert.equal(third!.connection, first!.connection, 'the login was for nothing')
    client.socket.destroy()
    await first!.connection.ended()
  })
}

test('over one connection of a proxy, each key has its own', async () => {
  await using origin = await startOrigin(ok('in'))
  const other = 'fgk_another_key_of_somebody_else'
  const keys = {
    static: [
      { id: 'one', key: CLIENT_KEY },
      { id: 'two', key: other },
    ],
  }
  await using gateway = await startGateway({ ...upTo(origin, pass), api_keys: keys })
  using proxy = await connect(gateway.port)
  for (const [n, bytes] of [
    request('/1', 'NTLM TlRMTVNTUAABAAAA'),
    request('/2').replace(CLIENT_KEY, other),
    request('/3'),
  ].entries()) {
    void proxy.write(bytes)
    await proxy.response(n)
  }
  const [first, second, third] = origin.requests
  assert.notEqual(second!.connection, first!.connection, "another key's request went over it")
  assert.equal(third!.connection, first!.connection)
})

const JWT_KEY = 'a secret of thirty-two bytes, ok'

function token(sub: string): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${encode({ alg: 'HS256', typ: 'JWT', kid: 'team' })}.${encode({ sub })}`
  return `${signed}.${createHmac('sha256', JWT_KEY).update(signed).digest('base64url')}`
}

test('nor do two people share one whose tokens have the same signer', async () => {
  await using origin = await startOrigin(ok('in'))
  const keys = { jwt: [{ id: 'team', key: JWT_KEY }] }
  await using gateway = await startGateway({ ...upTo(origin, pass), api_keys: keys })
  using proxy = await connect(gateway.port)
  for (const [n, bytes] of [
    request('/1', 'NTLM TlRMTVNTUAABAAAA').replace(CLIENT_KEY, token('alice')),
    request('/2').replace(CLIENT_KEY, token('bob')),
    request('/3').replace(CLIENT_KEY, token('alice')),
  ].entries()) {
    void proxy.write(bytes)
    await proxy.response(n)
  }
  const [first, second, third] = origin.requests
  assert.notEqual(second!.connection, first!.connection, "another person's request went over it")
  assert.equal(third!.connection, first!.connection)
})

test('a key that has come to the place of another one has its own', async () => {
  await using origin = await startOrigin(ok('in'))
  const other = 'fgk_another_key_of_somebody_else'
  const config = (...keys: string[]) => ({ ...upTo(origin, pass), api_keys: { static: keys.map((key) => ({ key })) } })
  await using gateway = await startGateway(config(CLIENT_KEY))
  using proxy = await connect(gateway.port)
  void proxy.write(request('/1', 'NTLM TlRMTVNTUAABAAAA'))
  await proxy.response(0)
  gateway.rewrite(config(other, CLIENT_KEY))
  await gateway.waitForLog('Configuration file changed, reloaded automatically')
  void proxy.write(request('/2').replace(CLIENT_KEY, other))
  await proxy.response(1)
  void proxy.write(request('/3'))
  await proxy.response(2)
  const [first, second, third] = origin.requests
  assert.notEqual(second!.connection, first!.connection, "another key's request went over it")
  assert.equal(third!.connection, first!.connection)
})

test('a connection without such a login is shared', async () => {
  await using origin = await startOrigin(unauthorized('Basic realm="negotiated"'))
  await using gateway = await startGateway(upTo(origin, pass))
  for (let i = 0; i < 3; i++) {
    using client = await connect(gateway.port)
    void client.write(request('/x', 'Basic bnRsbTpudGxt'))
    await client.response()
  }
  assert.equal(origin.connections.length, 1)
})

test('where the gateway puts its own key, no login of a client goes over it', async () => {
  await using origin = await startOrigin(unauthorized('NTLM'))
  await using gateway = await startGateway(upTo(origin))
  for (let i = 0; i < 3; i++) {
    using client = await connect(gateway.port)
    void client.write(request('/x', 'NTLM TlRMTVNTUAABAAAA'))
    await client.response()
  }
  assert.equal(origin.connections.length, 1)
  assert.ok(origin.requests.every(({ head }) => !head.includes('NTLM')))
})

test('nor does a request with the key of the gateway go over a connection that its client has logged in', async () => {
  await using origin = await startOrigin(ok('in'))
  const { upstreams } = upTo(origin, pass) as { upstreams: object }
  const own = { request_path: '/own', target_url: origin.url, api_key: PROVIDER_KEY }
  await using gateway = await startGateway({ upstreams: { ...upstreams, own } })
  using client = await connect(gateway.port)
  for (const [n, bytes] of [
    request('/1', 'NTLM TlRMTVNTUAABAAAA'),
    request('/2').replace('/up', '/own'),
    request('/3'),
  ].entries()) {
    void client.write(bytes)
    await client.response(n)
  }
  const [first, second, third] = origin.requests
  assert.notEqual(second!.connection, first!.connection, 'two credentials on one connection')
  assert.equal(third!.connection, first!.connection)
})
