import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

const head = (target: string): string => get(target).replace('GET', 'HEAD')

const cases: readonly (readonly [name: string, request: string, response: string])[] = [
  ['HEAD with a length', head('/up/x'), 'HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n'],
  ['HEAD with chunks', head('/up/x'), 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['HEAD with neither', head('/up/x'), 'HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\n'],
  ['204', get('/up/x'), 'HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n'],
  ['304 with the length of what it stands for', get('/up/x'), 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
]

for (const [name, request, response] of cases) {
  test(name, async () => {
    await using origin = await startOrigin(response)
    await using gateway = await startGateway(upTo(origin))
    using client = await connect(gateway.port, { methods: [request.split(' ')[0]!] })
    void client.write(request)
    assert.equal((await client.response()).head, response)
    origin.answer = ok('next')
    void client.write(get('/up/next'))
    assert.equal((await client.response(1)).text, 'next')
    assert.equal(origin.connections.length, 1, 'the upstream connection is kept as well')
  })
}

test('what an upstream sends after such a response is nobody’s', async () => {
  await using origin = await startOrigin(`${ok('hello')}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`)
  await using gateway = await startGateway(upTo(origin))
  using client = await connect(gateway.port, { methods: ['HEAD'] })
  void client.write(head('/up/x'))
  assert.equal((await client.response()).status, 200)
  origin.answer = ok('own')
  void client.write(get('/up/next'))
  assert.equal((await client.response(1)).text, 'own')
  assert.equal(origin.connections.length, 2, 'its connection was not used again')
})
