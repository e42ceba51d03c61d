import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Guarded, ProxyGate } from '../../../src/listener/proxy-gate.ts'

const HEADER = 'PROXY TCP4 203.0.113.9 10.0.0.1 5555 8080\r\n'

function bench(t: TestContext, timeoutMs = 60_000) {
  const seen: string[] = []
  const connection: Guarded = {
    clientIp: '127.0.0.1',
    onBytes(buffer, length) {
      seen.push(buffer.toString('latin1', 0, length))
      return false
    },
    nextReadBuffer: () => Buffer.alloc(256),
    close: () => void seen.push('closed'),
  }
  const gate = new ProxyGate(connection, timeoutMs, {
    failed: (fault) => void seen.push(`failed ${fault}`),
    bug: (error) => void seen.push(`bug ${(error as Error).message}`),
  })
  t.after(() => gate.close())
  const read = (text: string): boolean => {
    const buffer = gate.nextReadBuffer()
    return gate.onBytes(buffer, buffer.write(text, 'latin1'))
  }
  return { gate, connection, seen, read }
}

test('what is behind the header begins where a connection expects it, and its answer counts', (t) => {
  const { connection, seen, read } = bench(t)
  assert.equal(read(HEADER.slice(0, 10)), true)
  assert.equal(read(`${HEADER.slice(10)}GET`), false)
  assert.equal(connection.clientIp, '203.0.113.9')
  assert.equal(read(' / HTTP'), false)
  assert.deepEqual(seen, ['GET', ' / HTTP'])
})

test('a header alone is no read of the connection', (t) => {
  const { seen, read } = bench(t)
  assert.equal(read(HEADER), true)
  assert.deepEqual(seen, [])
})

test('without a client in it, the connection keeps its own', (t) => {
  const { connection, read } = bench(t)
  read('PROXY UNKNOWN\r\n')
  assert.equal(connection.clientIp, '127.0.0.1')
})

test('a fault is told before the connection is closed', (t) => {
  const { seen, read } = bench(t)
  assert.equal(read('GET / HTTP/1.1'), true)
  assert.deepEqual(seen, ['failed no_header', 'closed'])
})

test('time runs from the beginning: a header that has begun is a fault, silence is not', async (t) => {
  const begun = bench(t, 20)
  const silent = bench(t, 20)
  const whole = bench(t, 20)
  const over = bench(t, 20)
  begun.read('PROXY')
  whole.read(HEADER)
  over.gate.close()
  // Deadlines do not hold the process.
  const alive = setInterval(() => {}, 1_000)
  t.after(() => clearInterval(alive))
  await t.waitFor(() => assert.ok(begun.seen.length > 0 && silent.seen.length > 0), { timeout: 10_000 })
  assert.deepEqual(begun.seen, ['failed timeout', 'closed'])
  assert.deepEqual(silent.seen, ['closed'])
  assert.deepEqual([...whole.seen, ...over.seen], [])
})

test('a bug of ours costs the one connection', (t) => {
  const { gate, seen } = bench(t)
  assert.equal(gate.onBytes(undefined as unknown as Buffer, 5), true)
  assert.match(seen[0]!, /^bug /)
  assert.equal(seen[1], 'closed')
})
