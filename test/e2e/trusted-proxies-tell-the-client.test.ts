import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { type ConfigObject, type LoggedRecord, type RunningGateway, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

/** The addresses that the record of a request with these field lines shows. */
async function addresses(gateway: RunningGateway, before: string, ...lines: string[]): Promise<unknown[]> {
  using client = await connect(gateway.port)
  const target = `/up/${Math.random()}`
  void client.write(before + get(target, ...lines))
  await client.response()
  const { client_ip, peer_ip }: LoggedRecord = await gateway.waitForRecord(({ request_url }) => request_url === target)
  return [client_ip, peer_ip]
}

const trusting = (...trusted_proxies: string[]): ConfigObject => ({ server: { trusted_proxies } })

test('each request on one connection has its own client', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ ...trusting('127.0.0.1', '10.0.0.0/8'), ...upTo(origin) })
  using proxy = await connect(gateway.port)
  const seen = [
    ['203.0.113.1', 'X-Forwarded-For: 198.51.100.1, 203.0.113.1, 10.0.0.9'],
    ['2001:db8::1', 'X-Forwarded-For: [2001:DB8::1]:80'],
    ['10.0.0.9', 'X-Forwarded-For: unknown, 10.0.0.9'],
    ['203.0.113.2', 'Forwarded: for=203.0.113.2'],
    ['127.0.0.1', `X-Forwarded-For: ${'x'.repeat(30_000)}`],
    ['127.0.0.1'],
  ] as const
  for (const [i, [, ...lines]] of seen.entries()) {
    void proxy.write(get(`/up/${i}`, ...lines))
    await proxy.response(i)
  }
  await gateway.until(() => gateway.records().length === seen.length, 'all records')
  for (const [i, [client, ...lines]] of seen.entries()) {
    const { client_ip, peer_ip } = gateway.records()[i]!
    assert.equal(client_ip, client)
    assert.equal(peer_ip, client === '127.0.0.1' ? undefined : '127.0.0.1')
    assert.deepEqual((await origin.request(i)).lines.slice(2), lines, 'the fields pass as they came')
  }
})

test('from anybody else the fields say nothing', async () => {
  await using origin = await startOrigin()
  const field = 'X-Forwarded-For: 203.0.113.1'
  for (const config of [{}, trusting(), trusting('10.0.0.0/8', 'unix')]) {
    await using gateway = await startGateway({ ...config, ...upTo(origin) })
    assert.deepEqual(await addresses(gateway, '', field), ['127.0.0.1', undefined])
  }
})

test('who is named by a PROXY header is the one to be trusted, or not', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({
    server: { proxy_protocol: { from: ['127.0.0.1'] }, trusted_proxies: ['10.0.0.0/8'] },
    ...upTo(origin),
  })
  const field = 'X-Forwarded-For: 203.0.113.1'
  const header = (source: string): string => `PROXY TCP4 ${source} 127.0.0.1 1 2\r\n`
  assert.deepEqual(await addresses(gateway, header('10.0.0.7'), field), ['203.0.113.1', '127.0.0.1'])
  assert.deepEqual(await addresses(gateway, header('192.0.2.7'), field), ['192.0.2.7', '127.0.0.1'])
  assert.deepEqual(await addresses(gateway, 'PROXY UNKNOWN\r\n', field), ['127.0.0.1', undefined])
})

test('a request that is refused shows its client as well; one that cannot be read shows the proxy', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway({ ...trusting('127.0.0.0/8'), ...upTo(origin) })
  using wrong = await connect(gateway.port)
  void wrong.write('GET /up/ HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.1\r\n\r\n')
  assert.equal((await wrong.response()).status, 401)
  assert.equal((await gateway.waitForRecord(({ status }) => status === 401)).client_ip, '203.0.113.1')
  using broken = await connect(gateway.port)
  const twoLengths = 'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n'
  void broken.write(`POST /up/ HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.1\r\n${twoLengths}\r\n`)
  assert.equal((await broken.response()).status, 400)
  assert.equal((await gateway.waitForRecord(({ status }) => status === 400)).client_ip, '127.0.0.1')
})

test('a reload counts from the next request on', async () => {
  await using origin = await startOrigin()
  await using gateway = await startGateway(upTo(origin))
  using proxy = await connect(gateway.port)
  const field = 'X-Forwarded-For: 203.0.113.1'
  void proxy.write(get('/up/1', field))
  await proxy.response(0)
  gateway.rewrite({ ...trusting('127.0.0.1'), ...upTo(origin) })
  await gateway.waitForLog('reloaded automatically')
  void proxy.write(get('/up/2', field))
  await proxy.response(1)
  await gateway.waitForRecord(({ request_url }) => request_url === '/up/2')
  assert.deepEqual(
    gateway.records().map(({ client_ip }) => client_ip),
    ['127.0.0.1', '203.0.113.1'],
  )
})
