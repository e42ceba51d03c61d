import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { get, ok, postChunked, upTo } from '../support/bytes.ts'
import { inTime } from '../support/deadline.ts'
import { CLIENT_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, type RawClient } from '../support/raw-client.ts'

/** As it is promised. */
const AT_ONCE_MS = 100

const ways: readonly (readonly [name: string, leave: (client: RawClient) => void])[] = [
  ['a FIN', (client) => void client.fin()],
  ['a reset', (client) => client.reset()],
]

for (const [name, leave] of ways) {
  test(`by ${name} before the response`, () =>
    inTime(AT_ONCE_MS, async () => {
      await using origin = await startOrigin(() => {})
      await using gateway = await startGateway(upTo(origin))
      using client = await connect(gateway.port)
      void client.write(get('/up/x'))
      const { connection } = await origin.request()
      const leftAt = performance.now()
      leave(client)
      await connection.ended()
      const record = await gateway.waitForRecord()
      assert.equal(record.outcome, 'client_abort')
      assert.equal(record.status, undefined, 'it got nothing')
      return connection.endedAt - leftAt
    }))

  test(`by ${name} in the middle of the response`, () =>
    inTime(AT_ONCE_MS, async () => {
      await using origin = await startOrigin(() => {})
      await using gateway = await startGateway(upTo(origin))
      using client = await connect(gateway.port)
      void client.write(get('/up/x'))
      const { connection } = await origin.request()
      await connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
      await client.untilContent('hello')
      const leftAt = performance.now()
      leave(client)
      await connection.ended()
      const record = await gateway.waitForRecord()
      assert.equal(record.outcome, 'client_abort')
      assert.equal(record.status, 200)
      assert.equal(record.response_bytes, 'hello'.length)
      return connection.endedAt - leftAt
    }))

  test(`by ${name} in the middle of the upload: the upstream never sees a whole request`, async () => {
    await using origin = await startOrigin(() => {})
    await using gateway = await startGateway(upTo(origin))
    for (const start of [
      `POST /up/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nContent-Length: 10\r\n\r\nhello`,
      `${postChunked('/up/x')}5\r\nhello\r\n`,
    ])
      await inTime(AT_ONCE_MS, async () => {
        using client = await connect(gateway.port)
        const n = origin.requests.length
        void client.write(start)
        const request = await origin.request(n)
        await request.until(() => request.text === 'hello', 'the first half')
        const leftAt = performance.now()
        leave(client)
        await request.connection.ended()
        assert.equal(request.message.state, 'truncated')
        await gateway.until(() => gateway.records()[n], 'its record')
        assert.equal(gateway.records()[n]?.outcome, 'client_abort')
        return request.connection.endedAt - leftAt
      })
  })
}

test('but a response that is complete before that is cancelled is a success', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  const outcomes: string[] = []
  for (let i = 0; i < 5; i++) {
    using client = await connect(gateway.port)
    void client.write(get('/up/x'))
    const { connection } = await origin.request(i)
    await connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ne\r\ndata: [DONE]\n\n\r\n')
    await client.untilContent('[DONE]')
    await client.fin() // as SDKs do, which do not wait for the end of the message
    await sleep(10) // the provider takes a moment
    await connection.write('0\r\n\r\n')
    const record = await gateway.until(() => gateway.records()[i], 'its record')
    assert.equal(record.status, 200)
    outcomes.push(record.outcome)
  }
  // Some may be late, if the machine is busy with other things.
  const late = outcomes.filter((outcome) => outcome !== 'complete').length
  assert.ok(late < outcomes.length, `${outcomes}`)
  assert.ok(origin.connections.length <= 1 + late, 'and its upstream connection stays usable')
})

test('and nothing is left behind', async () => {
  await using origin = await startOrigin(() => {})
  await using gateway = await startGateway(upTo(origin))
  for (let i = 0; i < 20; i++) {
    using client = await connect(gateway.port)
    void client.write(get('/up/x') + get('/up/never'))
    const { connection } = await origin.request(i)
    client.reset()
    await connection.ended()
  }
  assert.deepEqual([...new Set(origin.requests.map((request) => request.target))], ['/x'])
  origin.answer = ok('fine')
  using client = await connect(gateway.port)
  void client.write(get('/up/after'))
  assert.equal((await client.response()).text, 'fine')
})
