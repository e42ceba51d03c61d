import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, post, postChunked, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

const content = 'hello, content'

const answers: readonly (readonly [framing: string, answer: string, keeps: boolean])[] = [
  ['a length', `HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n\r\n${content}`, true],
  [
    'one chunk',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${content.length.toString(16)}\r\n${content}\r\n0\r\n\r\n`,
    true,
  ],
  [
    'many chunks, extensions and trailers',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${[...content].map((c) => `1;a=b\r\n${c}\r\n`).join('')}0;x\r\nX-T: ${'t'.repeat(100)}\r\n\r\n`,
    true,
  ],
  ['the end of the connection', `HTTP/1.1 200 OK\r\n\r\n${content}`, false],
]

for (const [framing, answer, keeps] of answers) {
  test(`an answer framed by ${framing}, whole and byte by byte`, async () => {
    for (const pieces of [[answer], [...answer]]) {
      await using origin = await startOrigin(async ({ connection }) => {
        for (const piece of pieces) {
          await connection.write(piece)
          await new Promise(setImmediate)
        }
        if (!keeps) void connection.fin()
      })
      await using gateway = await startGateway(upTo(origin))
      using client = await connect(gateway.port)
      void client.write(get('/up/x'))
      await client.response()
      assert.equal((await gateway.waitForRecord()).response_bytes, content.length)
    }
  })
}

test('a request counts the same however it is framed', async () => {
  await using origin = await startOrigin(OK)
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port)
  const chunked = `${postChunked('/up/chunked')}5;a=b\r\nhello\r\n9\r\n, content\r\n0\r\nX-T: t\r\n\r\n`
  const requests = [[post('/up/length', content)], [chunked], [...chunked]]
  for (const [i, pieces] of requests.entries()) {
    await client.writePieces(pieces)
    await client.response(i)
    await gateway.until(() => gateway.records().length === i + 1, 'its record')
    assert.equal(gateway.records()[i]!.request_bytes, content.length)
  }
})
