import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { CLIENT_KEY, PROVIDER_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { connectRaw, type RawEnd, SWITCH, startRawOrigin, upgrade } from '../support/raw-end.ts'

const KEY = `Authorization: Bearer ${CLIENT_KEY}`
const agree = (end: RawEnd): void => {
  void end.write(SWITCH)
}
const to = (url: string, more = {}) => ({
  upstreams: { up: { request_path: '/up', target_url: url, api_key: PROVIDER_KEY, websocket: true, ...more } },
})

test("the offer goes on with the provider's key, the 101 comes back as it is, then bytes go both ways", async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway(to(origin.url))
  using client = await connectRaw(gateway.port)
  void client.write(upgrade('/up/realtime?model=m', KEY, 'Sec-WebSocket-Protocol: realtime'))
  await client.untilReceived(SWITCH)
  const end = await origin.end()
  assert.equal(
    origin.heads[0],
    upgrade('/realtime?model=m', `Authorization: Bearer ${PROVIDER_KEY}`, 'Sec-WebSocket-Protocol: realtime').replace(
      'gateway.test',
      origin.url.slice('http://'.length),
    ),
  )
  for (let i = 0; i < 3; i++) {
    void client.write(`\x81\x05hel${i}o`)
    await end.untilReceived(`\x81\x05hel${i}o`)
    void end.write(`\x82\x7f\0\xff${i}`)
    await client.untilReceived(`\x82\x7f\0\xff${i}`)
  }
  assert.deepEqual(gateway.records(), [])
  client.fin()
  await end.ended('fin')
  void end.write('last')
  await client.untilReceived('last')
  end.fin()
  await client.ended('fin')
  const record = await gateway.waitForRecord()
  assert.deepEqual(
    [record.status, record.outcome, record.error, record.request_bytes, record.response_bytes, record.request_id],
    [101, 'complete', undefined, 21, 19, 'req_1'],
  )
  assert.equal(gateway.records().length, 1)
})

test('each way ends by itself, whoever ends first', async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway(to(origin.url))
  for (const upstreamFirst of [true, false]) {
    using client = await connectRaw(gateway.port)
    void client.write(upgrade('/up', KEY))
    await client.untilReceived(SWITCH)
    const end = await origin.end(upstreamFirst ? 0 : 1)
    const [first, second] = upstreamFirst ? [end, client] : [client, end]
    void first.write('first')
    first.fin()
    await second.untilReceived('first')
    await second.ended('fin')
    assert.equal(first.ending, undefined)
    for (const piece of ['a', 'b'.repeat(100_000), 'c']) void second.write(piece)
    await first.untilReceived('bc')
    assert.equal(gateway.records().length, upstreamFirst ? 0 : 1)
    second.fin()
    await first.ended('fin')
    await gateway.until(() => gateway.records().length === (upstreamFirst ? 1 : 2), 'its record')
    const record = gateway.records().at(-1)!
    const [way, other] = [record.request_bytes, record.response_bytes]
    assert.deepEqual([record.outcome, way, other], ['complete', ...(upstreamFirst ? [100_002, 5] : [5, 100_002])])
  }
})

test('what comes with the 101, and what the client has sent before it, goes through in its order', async () => {
  await using origin = await startRawOrigin((end) => {
    // Only when all of it waits in the gateway.
    setTimeout(() => void end.write(`HTTP/1.1 103 Early Hints\r\n\r\n${SWITCH}greetings`), 50)
  })
  await using gateway = await startGateway(to(origin.url))
  using client = await connectRaw(gateway.port)
  const early = 'early,'.repeat(9_000)
  void client.write(upgrade('/up', KEY) + early)
  await client.untilReceived(`${SWITCH}greetings`)
  assert.ok(client.received.startsWith('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 '))
  const end = await origin.end()
  void client.write('late')
  await end.untilReceived('late')
  assert.equal(end.received.slice(origin.heads[0]!.length), `${early}late`)
})

test('a client that sends early and ends at once is heard', async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway(to(origin.url))
  using client = await connectRaw(gateway.port)
  client.socket.end(Buffer.from(`${upgrade('/up', KEY)}all of it`, 'latin1'))
  const end = await origin.end()
  await end.untilReceived('all of it')
  await end.ended('fin')
  void end.write('understood')
  end.fin()
  await client.untilReceived('understood')
  assert.equal((await gateway.waitForRecord()).outcome, 'complete')
})

test('before the 101 a client is read up to a bound, and what it sends waits in its own kernel', async () => {
  await using origin = await startRawOrigin(() => {})
  await using gateway = await startGateway(to(origin.url))
  using client = await connectRaw(gateway.port)
  void client.write(upgrade('/up', KEY))
  const end = await origin.end()
  const piece = Buffer.alloc(1024 * 1024, 'x')
  let sent = 0
  let isDone = false
  const sending = (async () => {
    while (!isDone && (await client.write(piece))) sent += piece.length
  })()
  // It takes what the kernels hold, and then no more.
  let before = -1
  while (before !== sent) {
    before = sent
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  assert.ok(sent < 64 * piece.length, `${sent} bytes`)
  isDone = true
  void end.write(SWITCH)
  await sending
  await end.until(() => end.receivedBytes === origin.heads[0]!.length + sent, 'all of it')
})

test('a reset is a reset on the other side, and the record says whose it was', async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway(to(origin.url))
  for (const [n, isClients] of [true, false].entries()) {
    using client = await connectRaw(gateway.port)
    void client.write(upgrade('/up', KEY))
    await client.untilReceived(SWITCH)
    const end = await origin.end(n)
    const [broken, other] = isClients ? [client, end] : [end, client]
    broken.reset()
    await other.ended('rst')
    const record = await gateway.waitForRecord(
      ({ outcome }) => outcome === (isClients ? 'client_abort' : 'upstream_abort'),
    )
    assert.deepEqual(
      [record.status, record.error, record.cause, record.level],
      isClients ? [101, 'client_abort', undefined, 'TRACE'] : [101, 'upstream_truncated', 'ECONNRESET', 'WARN'],
    )
  }
})

/** Its connection ends while the gateway stands still, which then finds bytes of its client first: the write meets the end, not a read. */
async function endUnseen(gateway: RunningGateway, client: RawEnd, end: RawEnd, last: () => unknown): Promise<void> {
  void client.write('before')
  await end.untilReceived('before')
  gateway.signal('SIGSTOP')
  await pause(50)
  await client.write('first')
  await pause(50)
  last()
  await pause(50)
  end.reset()
  await pause(50)
  gateway.signal('SIGCONT')
}

test('a reset that a write meets first is no end for the client', async () => {
  for (let i = 0; i < 4; i++) {
    await using origin = await startRawOrigin(agree)
    await using gateway = await startGateway(to(origin.url))
    using client = await connectRaw(gateway.port)
    void client.write(upgrade('/up', KEY))
    await client.untilReceived(SWITCH)
    await endUnseen(gateway, client, await origin.end(), () => {})
    await client.until(() => client.ending, 'its end')
    assert.equal(client.ending, 'rst')
    const { outcome, cause } = await gateway.waitForRecord()
    assert.deepEqual([outcome, cause], ['upstream_abort', 'ECONNRESET'])
  }
})

test('a client that talks on to an upstream that has ended and takes no more holds up nothing', async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway(to(origin.url))
  using client = await connectRaw(gateway.port)
  void client.write(upgrade('/up', KEY))
  await client.untilReceived(SWITCH)
  const end = await origin.end()
  await endUnseen(gateway, client, end, () => end.socket.end('bye'))
  await client.untilReceived('bye')
  await client.ended('fin')
  const record = await gateway.waitForRecord()
  assert.deepEqual([record.outcome, record.level], ['complete', 'TRACE'])
})

test('an upstream that closes behind its last word loses nothing of it', async () => {
  await using origin = await startRawOrigin((end) => {
    void end.write(SWITCH)
  })
  await using gateway = await startGateway(to(origin.url))
  using client = await connectRaw(gateway.port)
  void client.write(upgrade('/up', KEY))
  await client.untilReceived(SWITCH)
  const end = await origin.end()
  end.socket.end(Buffer.from('bye'), () => end.socket.destroy())
  await client.untilReceived('bye')
  await client.ended('fin')
  // An answer that nobody takes any more.
  void client.write('bye, too')
  client.fin()
  const record = await gateway.waitForRecord()
  assert.deepEqual([record.outcome, record.level], ['complete', 'TRACE'])
})

test('what an upstream answers otherwise is an answer like any other, and its connection goes on', async () => {
  const refusal = 'HTTP/1.1 403 Forbidden\r\nX-A: 1\r\nContent-Length: 3\r\n\r\nno!'
  await using origin = await startRawOrigin((end, head) => {
    void end.write(head.includes('/yes') ? SWITCH : refusal)
  })
  await using gateway = await startGateway(to(origin.url))
  using client = await connectRaw(gateway.port)
  void client.write(upgrade('/up/no', KEY))
  await client.untilReceived(refusal)
  void client.write(`GET /up/x HTTP/1.1\r\nHost: a\r\n${KEY}\r\n\r\n`)
  await client.until(() => client.received === refusal + refusal, 'both')
  void client.write(upgrade('/up/yes', KEY))
  await client.untilReceived(SWITCH)
  await gateway.until(() => gateway.records().length === 2, 'two records')
  assert.deepEqual(
    gateway.records().map(({ status, outcome }) => [status, outcome]),
    [
      [403, 'complete'],
      [403, 'complete'],
    ],
  )
})

test('an offer that met the end of a kept-alive connection is made again, with what waits behind it', async () => {
  let requests = 0
  await using origin = await startRawOrigin((end) => {
    if (requests++ === 0) void end.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    else if (requests === 2) end.reset()
    else agree(end)
  })
  await using gateway = await startGateway(to(origin.url))
  using client = await connectRaw(gateway.port)
  void client.write(`GET /up/x HTTP/1.1\r\nHost: a\r\n${KEY}\r\n\r\n`)
  await client.untilReceived('ok')
  void client.write(`${upgrade('/up', KEY)}early`)
  await client.untilReceived(SWITCH)
  assert.equal(origin.ends.length, 2)
  await origin.ends[1]!.untilReceived('early')
  assert.equal(origin.heads[2], origin.heads[1])
})

for (const [name, answer, lines] of [
  ['that nobody asked for', SWITCH, []],
  ['without its Upgrade', 'HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\n\r\n', null],
  ['without its Connection', 'HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n\r\n', null],
  ['to another protocol', 'HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n', null],
  ['to two', 'HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n', null],
  ['of HTTP/1.0', 'HTTP/1.0 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n', null],
] as const) {
  test(`a 101 ${name} is a 502`, async () => {
    await using origin = await startRawOrigin((end) => void end.write(answer))
    await using gateway = await startGateway(to(origin.url))
    using client = await connectRaw(gateway.port)
    void client.write(lines === null ? upgrade('/up', KEY) : `GET /up HTTP/1.1\r\nHost: a\r\n${KEY}\r\n\r\n`)
    const record = await gateway.waitForRecord()
    assert.deepEqual([record.status, record.error, record.cause], [502, 'upstream_protocol', 'upgrade'])
    await client.until(() => client.received.startsWith('HTTP/1.1 502 '), 'the refusal')
    await (await origin.end()).until(() => true, 'its end')
  })
}

test('only WebSocket is offered: of other protocols and options nothing goes on', async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway(to(origin.url))
  for (const [n, [sent, expected]] of [
    [
      ['Connection: keep-alive, Upgrade', 'Upgrade: WebSocket'],
      ['Connection: keep-alive, Upgrade', 'Upgrade: WebSocket'],
    ],
    [
      ['Connection: X-Gone ,UPGRADE', 'X-Gone: 1', 'Upgrade: h2c, WebSocket ,foo/1', 'HTTP2-Settings: x'],
      ['Connection: UPGRADE', 'Upgrade: WebSocket', 'HTTP2-Settings: x'],
    ],
    [
      ['Connection: keep-alive', 'Connection: upgrade', 'Upgrade: h2c', 'Upgrade:  websocket'],
      ['Connection: upgrade', 'Upgrade:  websocket'],
    ],
  ].entries()) {
    using client = await connectRaw(gateway.port)
    void client.write(`GET /up HTTP/1.1\r\nHost: a\r\n${sent!.join('\r\n')}\r\n${KEY}\r\n\r\n`)
    await client.untilReceived(SWITCH)
    await origin.end(n)
    assert.deepEqual(origin.heads[n]!.split('\r\n').slice(2, -3), expected)
  }
})

test('an upgrade with content, or that is no GET, is malformed', async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway(to(origin.url))
  for (const head of [
    upgrade('/up', KEY, 'Content-Length: 3'),
    upgrade('/up', KEY, 'Transfer-Encoding: chunked'),
    upgrade('/up', KEY).replace('GET', 'POST'),
  ]) {
    using client = await connectRaw(gateway.port)
    void client.write(head)
    await client.ended('fin')
    assert.match(client.received, /^HTTP\/1\.1 400 [\s\S]*fluxgate_bad_upgrade/)
  }
  assert.deepEqual(origin.heads, [])
})

test('the door comes first: 401, then 404, then 501', async () => {
  await using origin = await startRawOrigin(agree)
  const upstream = (name: string, websocket: boolean) => ({
    [name]: { request_path: `/${name}`, target_url: origin.url, api_key: PROVIDER_KEY, websocket },
  })
  const status = async (port: number, target: string, ...lines: string[]): Promise<string> => {
    using client = await connectRaw(port)
    void client.write(upgrade(target, ...lines))
    await client.until(() => client.received.includes('\r\n\r\n'), 'an answer')
    return client.received.slice(9, 12)
  }
  await using gateway = await startGateway({ upstreams: { ...upstream('on', true), ...upstream('off', false) } })
  for (const [target, expected] of [
    ['/nowhere', ['401', '404']],
    ['/off', ['401', '501']],
    ['/on', ['401', '101']],
  ] as const) {
    const seen = [await status(gateway.port, target, 'x-api-key: wrong'), await status(gateway.port, target, KEY)]
    assert.deepEqual(seen, expected, target)
  }
  await using off = await startGateway({ upstreams: upstream('off', false) })
  for (const target of ['/nowhere', '/off']) {
    assert.deepEqual([await status(off.port, target), await status(off.port, target, KEY)], ['401', '501'], target)
  }
})

/** The same numbers each time, from 0 to below 1. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Sends pieces of all sizes, reads on and off meanwhile, and ends its way. The digest of what it has sent. */
async function talk(end: RawEnd, next: () => number): Promise<string> {
  const hash = createHash('sha256')
  for (let left = 8 * 1024 * 1024; left > 0; ) {
    const piece = Buffer.alloc(Math.ceil(2 ** (next() * 18)), Math.floor(next() * 256))
    left -= piece.length
    hash.update(piece)
    await end.write(piece)
    if (next() < 0.05) end.socket.pause()
    else if (next() < 0.2) end.socket.resume()
  }
  end.socket.resume()
  end.fin()
  return hash.digest('hex')
}

function listen(end: RawEnd): { digest: Promise<string> } {
  const hash = createHash('sha256')
  end.socket.on('data', (data: Buffer) => hash.update(data))
  return { digest: end.until(() => end.ending === 'fin', 'its end', 60_000).then(() => hash.digest('hex')) }
}

test('both ways at once, in pieces of all sizes, with pauses', async () => {
  await using origin = await startRawOrigin(agree)
  await using gateway = await startGateway(to(origin.url))
  await Promise.all(
    Array.from({ length: 6 }, async (_, i) => {
      using client = await connectRaw(gateway.port)
      void client.write(upgrade(`/up/${i}`, KEY))
      await client.untilReceived(SWITCH)
      const n = origin.heads.findIndex((head) => head.startsWith(`GET /${i} `))
      const end = origin.ends.find((each) => each.received.startsWith(origin.heads[n]!))!
      const [atClient, atEnd] = [listen(client), listen(end)]
      const sent = await Promise.all([talk(client, numbers(2 * i)), talk(end, numbers(2 * i + 1))])
      assert.deepEqual([await atEnd.digest, await atClient.digest], sent)
    }),
  )
  await gateway.until(() => gateway.records().length === 6, 'their records')
  assert.ok(gateway.records().every(({ outcome }) => outcome === 'complete'))
})
