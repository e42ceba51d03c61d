import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Origin, type OriginConnection, startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

const heads = {
  'a length': 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello',
  chunks: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
  'chunks, within one': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhello',
  'chunks, within their trailers': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A: 1\r\n',
}
const ends: Readonly<Record<string, (connection: OriginConnection) => void>> = {
  'a FIN': (connection) => void connection.fin(),
  'a reset': (connection) => connection.reset(),
  nonsense: (connection) => void connection.write(`${'\0'.repeat(200)}\r\n`),
}

describe('the client sees that it is not whole:', () => {
  let gateway: RunningGateway
  let origin: Origin
  before(async () => {
    origin = await startOrigin(() => {})
    gateway = await startGateway(upTo(origin))
  })
  after(() => Promise.all([gateway.stop(), origin.close()]))

  for (const [framing, start] of Object.entries(heads)) {
    for (const [how, end] of Object.entries(ends)) {
      if (how === 'nonsense' && !/^chunks$|trailers/.test(framing)) continue
      it(`content with ${framing} that ends with ${how}`, async () => {
        const n = origin.requests.length
        using client = await connect(gateway.port)
        void client.write(get('/up/x'))
        const { connection } = await origin.request(n)
        await connection.write(start)
        await client.untilContent('hello')
        end(connection)
        const response = await client.response()
        assert.equal(response.state, 'truncated')
        assert.equal(response.fault, undefined, 'what has come was well-formed')
        assert.ok(!response.rawBody.includes('0\r\n\r\n'))
        const record = await gateway.until(() => gateway.records()[n], 'its record')
        assert.equal(record.outcome, 'upstream_abort')
        assert.equal(record.status, 200)
        assert.ok(record.error)
        await connection.ended()
        assert.equal(connection.requests.length, 1)
      })
    }
  }
})
