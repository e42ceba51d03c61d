import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { get, ok, upTo } from '../support/bytes.ts'
import {
  COMPANY_CERTIFICATE,
  COMPANY_KEY,
  NAMED_CERTIFICATE,
  SELF_SIGNED_CERTIFICATE,
  SELF_SIGNED_KEY,
  SERVER_CERTIFICATE,
  SERVER_KEY,
} from '../support/certificates.ts'
import { WITHIN_A_SECOND_MS } from '../support/deadline.ts'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect, exchange } from '../support/raw-client.ts'
import { connectTls, PemFolder, type Secured } from '../support/tls-gateway.ts'

const KEPT = 'TLS certificate could not be loaded; keeping the previous one'
const RELOADED = 'TLS certificate reloaded'
const CHANGED = 'Configuration file changed'

const open = (gateway: RunningGateway): Promise<Secured & Disposable> =>
  connectTls(gateway.port, { rejectUnauthorized: false })

async function ask({ client }: Secured, n = 0): Promise<void> {
  await client.write(get('/up/x'))
  assert.equal((await client.response(n)).status, 200)
}

async function nameOf(gateway: RunningGateway): Promise<string> {
  using secured = await open(gateway)
  await ask(secured)
  return secured.commonName
}

/** The members of the lines with this message. */
function lines(gateway: RunningGateway, message: string): Record<string, unknown>[] {
  return gateway
    .log()
    .split('\n')
    .filter((line) => line.includes(message))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

test('new handshakes get the new one within a second, and open connections stay', async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin()
  await using gateway = await startGateway({ ...upTo(origin), server: { tls: pems.pair } })
  using before = await open(gateway)
  await ask(before)
  assert.equal(before.commonName, 'good')
  pems.write('cert.pem', SELF_SIGNED_CERTIFICATE)
  pems.write('key.pem', SELF_SIGNED_KEY)
  await gateway.waitForLog(RELOADED, 1, WITHIN_A_SECOND_MS)
  assert.equal(await nameOf(gateway), 'self')
  await ask(before, 1)
  assert.deepEqual(
    lines(gateway, RELOADED).map(({ level, path }) => [level, path]),
    [['INFO', pems.file('cert.pem')]],
  )
  assert.equal(gateway.log().includes(CHANGED), false, 'nothing else has changed')
})

test('a pair of no use keeps the one before, is told once, and the rest of the file still counts', async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin()
  const config = (max_connections: number) => ({ ...upTo(origin), server: { tls: pems.pair, max_connections } })
  await using gateway = await startGateway(config(10))
  const broken: readonly [() => void, RegExp][] = [
    [() => pems.write('key.pem', SELF_SIGNED_KEY), /^key: is not the private key of cert/],
    [() => pems.write('key.pem', 'nonsense'), /^key: must name a PEM file of a private key/],
    [() => pems.write('cert.pem', NAMED_CERTIFICATE.slice(0, 200)), /^cert: must name a PEM file of certificates/],
    [() => rmSync(pems.file('cert.pem')), /^cert: names a file that does not exist/],
  ]
  for (const [n, [breakIt, error]] of broken.entries()) {
    breakIt()
    await gateway.waitForLog(KEPT, n + 1)
    const last = lines(gateway, KEPT).at(-1)!
    assert.deepEqual([last.level, last.path], ['WARN', pems.file('cert.pem')])
    assert.match(String(last.error), error)
    assert.equal(await nameOf(gateway), 'good')
  }
  gateway.rewrite(config(20))
  await gateway.waitForLog(CHANGED)
  gateway.signal('SIGHUP')
  await gateway.waitForLog(CHANGED, 2)
  assert.equal(await nameOf(gateway), 'good')
  assert.equal(lines(gateway, KEPT).length, broken.length, 'nothing is said twice')
  // What it has served all the time is there again.
  pems.write('cert.pem', SERVER_CERTIFICATE)
  pems.write('key.pem', SERVER_KEY)
  await gateway.waitForLog(RELOADED)
  assert.equal(await nameOf(gateway), 'good')
  pems.write('cert.pem', COMPANY_CERTIFICATE)
  pems.write('key.pem', COMPANY_KEY)
  await gateway.waitForLog(RELOADED, 2)
  assert.equal(await nameOf(gateway), 'inside')
})

test('at a start, and for a pair that is new to the file, it is a mistake of the configuration', async () => {
  using pems = new PemFolder()
  pems.write('other.pem', 'nonsense')
  await using origin = await startOrigin()
  const other = { cert: pems.file('other.pem'), key: pems.file('key.pem') }
  await using broken = await startGateway({ ...upTo(origin), server: { tls: other } })
  assert.match(broken.log(), /server\.tls\.cert: must name a PEM file of certificates/)
  await using gateway = await startGateway({ ...upTo(origin), server: { tls: pems.pair } })
  gateway.rewrite({ ...upTo(origin), server: { tls: other } })
  await gateway.waitForLog('validation failed; keeping previous settings')
  assert.equal(await nameOf(gateway), 'good')
})

test('TLS is switched on and off without a restart', async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin()
  const config = (tls: object | undefined) => ({ ...upTo(origin), server: { ...(tls && { tls }) } })
  await using gateway = await startGateway(config(undefined))
  const { port } = gateway
  using plain = await connect(port)
  await plain.write(get('/up/x'))
  await plain.response()
  gateway.rewrite(config(pems.pair))
  await gateway.waitForLog(CHANGED)
  assert.equal(await nameOf(gateway), 'good')
  await plain.write(get('/up/x'))
  assert.equal((await plain.response(1)).status, 200, 'an open connection stays what it is')
  assert.equal((await exchange(port, get('/up/x'))).status, 400)
  using secured = await open(gateway)
  await ask(secured)
  gateway.rewrite(config(undefined))
  await gateway.waitForLog(CHANGED, 2)
  await ask(secured, 1)
  assert.equal((await exchange(port, get('/up/x'))).status, 200)
  assert.equal(gateway.port, port)
})

test('under load, no handshake and no request is lost', async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin(ok('x'.repeat(1000)))
  await using gateway = await startGateway({ ...upTo(origin), server: { tls: pems.pair } })
  const names = new Set<string>()
  let isOver = false
  const clients = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      using secured = await open(gateway)
      names.add(secured.commonName)
      for (let n = 0; n < 3; n++) await ask(secured, n)
    }
  })
  for (const [n, [cert, key]] of [
    [SELF_SIGNED_CERTIFICATE, SELF_SIGNED_KEY],
    [COMPANY_CERTIFICATE, COMPANY_KEY],
    [SERVER_CERTIFICATE, SERVER_KEY],
  ].entries()) {
    // In place and one after the other, as an editor would.
    writeFileSync(pems.file('cert.pem'), cert!)
    writeFileSync(pems.file('key.pem'), key!)
    await gateway.waitForLog(RELOADED, n + 1)
  }
  isOver = true
  await Promise.all(clients)
  assert.ok(names.has('good') && names.has('self') && names.has('inside'), [...names].join())
})

test('a session outlives a restart, and a change of the certificate that keeps its key', async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin()
  const config = { ...upTo(origin), server: { tls: pems.pair } }
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    let session: Buffer | undefined
    for (const isReused of [false, true, true]) {
      await using gateway = await startGateway(config)
      using secured = await connectTls(gateway.port, {
        minVersion: version,
        maxVersion: version,
        ...(session && { session }),
      })
      session = secured.socket.getSession()
      let tickets = 0
      secured.socket.on('session', (given: Buffer) => {
        session = given
        tickets++
      })
      await ask(secured)
      assert.equal(secured.socket.isSessionReused(), isReused, version)
      // Of TLS 1.2 it came before anybody listened.
      assert.equal(tickets, version === 'TLSv1.3' ? 1 : 0)
    }
  }
})

test('every worker has the new one, and understands the sessions of the others', async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin()
  await using gateway = await startGateway({ ...upTo(origin), server: { tls: pems.pair, workers: 3 } })
  let session: Buffer | undefined
  const reused: boolean[] = []
  const askAll = async (): Promise<Set<string>> => {
    // All at once, so that each worker gets some of them.
    const all = Array.from({ length: 9 }, () =>
      connectTls(gateway.port, { rejectUnauthorized: false, ...(session && { session }) }),
    )
    const names = new Set<string>()
    for (const secured of await Promise.all(all)) {
      reused.push(secured.socket.isSessionReused())
      await ask(secured)
      // Its ticket came before the answer.
      session = secured.socket.getSession()
      names.add(secured.commonName)
      secured.client[Symbol.dispose]()
    }
    return names
  }
  assert.deepEqual([...(await askAll())], ['good'])
  await askAll()
  assert.deepEqual(reused, [...new Array(9).fill(false), ...new Array(9).fill(true)])
  pems.write('cert.pem', SELF_SIGNED_CERTIFICATE)
  pems.write('key.pem', SELF_SIGNED_KEY)
  await gateway.waitForLog(RELOADED)
  session = undefined
  assert.deepEqual([...(await askAll())], ['self'])
})
