import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'
import { connectRaw, SWITCH, startRawOrigin, upgrade } from '../support/raw-end.ts'

const ask = (target: string, ...lines: string[]): string =>
  [`POST ${target} HTTP/1.1`, 'Host: a', ...lines, 'Content-Length: 2', '', 'ok'].join('\r\n')

test('where the operator says so, a key in the query opens the door and is swapped there', async () => {
  await using origin = await startOrigin()
  const upstream = (request_path: string, more = {}) => ({
    request_path,
    target_url: `${origin.url}/base`,
    api_key: PROVIDER_KEY,
    ...more,
  })
  await using gateway = await startGateway({
    upstreams: { on: upstream('/on', { query_credential: true }), off: upstream('/off') },
  })
  using client = await connect(gateway.port)
  const targets = [
    [`/on/x?a=%2F&key=${CLIENT_KEY}&b`, `/base/x?a=%2F&key=${PROVIDER_KEY}&b`],
    [`/on/x?api-key=${CLIENT_KEY}`, `/base/x?api-key=${PROVIDER_KEY}`],
    // On one connection, again and again: what repeats a head is decided as that was.
    [`/on/x?api-key=${CLIENT_KEY}`, `/base/x?api-key=${PROVIDER_KEY}`],
    [`/on/x?api-key=${CLIENT_KEY}`, `/base/x?api-key=${PROVIDER_KEY}`],
  ] as const
  for (const [n, [sent, seen]] of targets.entries()) {
    await client.write(ask(sent))
    assert.equal((await client.response(n)).text, 'ok')
    const { target, lines } = await origin.request(n)
    assert.equal(target, seen)
    assert.ok(!lines.some((line) => /authorization|key/i.test(line)))
  }
  await client.write(ask(`/on/x?api-key=${CLIENT_KEY.slice(0, -1)}x`))
  assert.equal((await client.response(targets.length)).status, 401)
  assert.equal((await exchange(gateway.port, ask(`/off/x?key=${CLIENT_KEY}`))).status, 401)
  assert.equal((await exchange(gateway.port, ask(`/nowhere?key=${CLIENT_KEY}`))).status, 401)
  const both = await exchange(gateway.port, ask(`/off/x?key=${CLIENT_KEY}`, `x-api-key: ${CLIENT_KEY}`))
  assert.equal(both.status, 400)
  assert.equal(origin.requests.length, targets.length)
  await gateway.until(() => gateway.records().length === targets.length + 4, 'all records')
  assert.deepEqual(
    [gateway.records()[0]!.request_url, gateway.records()[0]!.target_url],
    ['/on/x?a=%2F&key=***&b', `${origin.url}/base/x?a=%2F&key=***&b`],
  )
  for (const key of [CLIENT_KEY, PROVIDER_KEY]) assert.ok(!gateway.log().includes(key))
})

test("a key of somebody else's beside the gateway's key goes no further where keys stand in the query", async () => {
  await using origin = await startOrigin()
  const upstream = (request_path: string, more = {}) => ({
    request_path,
    target_url: origin.url,
    api_key: PROVIDER_KEY,
    ...more,
  })
  await using gateway = await startGateway({
    upstreams: {
      on: upstream('/on', { query_credential: true }),
      pass: upstream('/pass', { query_credential: true, credential: 'pass' }),
      off: upstream('/off'),
    },
  })
  const inField = `Authorization: Bearer ${CLIENT_KEY}`
  let n = 0
  for (const [sent, seen, ...lines] of [
    ['/on/x?a&key=foreign&b', '/x?a&b', inField],
    ['/on/x?api-key=foreign', '/x', inField],
    ['/on/x?api-key=foreign&key=', '/x?key=', inField],
    [`/on/x?api-key=foreign&key=${CLIENT_KEY}&c`, `/x?key=${PROVIDER_KEY}&c`],
    [`/on/x?key=${CLIENT_KEY}&key=foreign`, `/x?key=${PROVIDER_KEY}`],
    // It is the client's own there.
    ['/pass/x?key=foreign', '/x?key=foreign', `x-fluxgate-key: ${CLIENT_KEY}`],
    // A parameter like any other.
    ['/off/x?key=foreign', '/x?key=foreign', inField],
  ] as const) {
    using client = await connect(gateway.port)
    for (const k of [0, 1, 2]) {
      await client.write(ask(sent, ...lines))
      const { target } = await origin.request(n++)
      assert.equal(target, seen, sent)
      await client.response(k)
    }
  }
})

test('a reload that takes the switch back is obeyed by the next request of the same connection', async () => {
  await using origin = await startOrigin(OK)
  const config = (query_credential: boolean) => ({
    upstreams: { up: { request_path: '/up', target_url: origin.url, api_key: PROVIDER_KEY, query_credential } },
  })
  await using gateway = await startGateway(config(true))
  using client = await connect(gateway.port)
  for (const n of [0, 1]) {
    await client.write(ask(`/up?key=${CLIENT_KEY}`))
    assert.equal((await client.response(n)).status, 200)
  }
  gateway.rewrite(config(false))
  await gateway.waitForLog('reloaded automatically')
  await client.write(ask(`/up?key=${CLIENT_KEY}`))
  assert.equal((await client.response(2)).status, 401)
})

test('the key of a WebSocket may stand in its query or among its protocols, and nobody sees the other key', async () => {
  const offered = (key: string): string => `Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.${key}, x`
  let echo = ''
  await using origin = await startRawOrigin((end) => void end.write(SWITCH.replace('X-A:  1 ', () => echo)))
  await using gateway = await startGateway({
    upstreams: {
      up: {
        request_path: '/up',
        target_url: origin.url,
        api_key: PROVIDER_KEY,
        websocket: true,
        query_credential: true,
      },
    },
  })
  for (const [n, [head, seen, echoed, heard]] of [
    [upgrade(`/up//ws?key=${CLIENT_KEY}`), upgrade(`//ws?key=${PROVIDER_KEY}`), 'X: 1', 'X: 1'],
    [
      upgrade('/up', offered(CLIENT_KEY)),
      upgrade('/', offered(PROVIDER_KEY)),
      'Sec-WebSocket-Protocol: realtime',
      'Sec-WebSocket-Protocol: realtime',
    ],
    // An upstream that takes up the first thing that it is offered.
    [
      upgrade('/up', offered(CLIENT_KEY)),
      upgrade('/', offered(PROVIDER_KEY)),
      `sec-websocket-protocol:  openai-insecure-api-key.${PROVIDER_KEY}`,
      `sec-websocket-protocol:  openai-insecure-api-key.${CLIENT_KEY}`,
    ],
    // And one that takes up all of it.
    [
      upgrade('/up', offered(CLIENT_KEY)),
      upgrade('/', offered(PROVIDER_KEY)),
      offered(PROVIDER_KEY),
      offered(CLIENT_KEY),
    ],
    // What belongs to one connection is no place for a key.
    [
      upgrade('/up', offered(CLIENT_KEY), 'Connection: Sec-WebSocket-Protocol'),
      upgrade('/', `Authorization: Bearer ${PROVIDER_KEY}`),
      'X: 1',
      'X: 1',
    ],
  ].entries()) {
    echo = echoed!
    using client = await connectRaw(gateway.port)
    void client.write(head!)
    await client.untilReceived(SWITCH.replace('X-A:  1 ', () => heard!))
    await origin.end(n)
    client.reset()
    assert.equal(origin.heads[n], seen!.replace('gateway.test', origin.url.slice('http://'.length)))
  }
  await gateway.until(() => gateway.records().length === 5, 'their records')
  for (const key of [CLIENT_KEY, PROVIDER_KEY]) assert.ok(!gateway.log().includes(key))
})

test('an upstream that repeats what it was asked shows the client its own key', async () => {
  const secret = 'a%/ä.key'
  const placed = 'a%25/%C3%A4.key'
  await using origin = await startRawOrigin((end, head) => {
    const query = /\?(\S+)/.exec(head)![1]!
    const url = `https://other.test/x/?${query}&upload_id=1`
    const link = `Link: </login?next=${encodeURIComponent(`/x?api-key=${secret}`)}>, </y?api-key=a%25/%c3%a4.key>\r\n`
    void end.write(
      `HTTP/1.1 103 Early Hints\r\n${link}\r\nHTTP/1.1 307 Temporary Redirect\r\nLocation: ${url}\r\nX-A:  1 \r\nx-goog-upload-url: ${url}\r\nContent-Length: 0\r\n\r\n`,
    )
  })
  await using gateway = await startGateway({
    upstreams: { up: { request_path: '/up', target_url: origin.url, api_key: secret, query_credential: true } },
  })
  using client = await connectRaw(gateway.port)
  for (let n = 1; n < 4; n++) {
    void client.write(`GET /up/x?a=1&api-key=${CLIENT_KEY} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await client.until(() => client.received.split('Content-Length: 0').length > n, 'the answer')
    assert.ok(origin.heads.at(-1)!.startsWith(`GET /x?a=1&api-key=${placed} HTTP`))
  }
  const url = `https://other.test/x/?a=1&api-key=${CLIENT_KEY}&upload_id=1`
  assert.ok(
    client.received.endsWith(
      `\r\nLocation: ${url}\r\nX-A:  1 \r\nx-goog-upload-url: ${url}\r\nContent-Length: 0\r\n\r\n`,
    ),
  )
  for (const part of [placed, '%c3%a4', '.key']) assert.ok(!client.received.includes(part), client.received)
})
