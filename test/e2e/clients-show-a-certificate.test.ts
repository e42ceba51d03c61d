import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import { get, upTo } from '../support/bytes.ts'
import {
  CLIENT_CERTIFICATE,
  CLIENT_CERTIFICATE_KEY,
  COMPANY_CERTIFICATE,
  COMPANY_INTERMEDIATE,
  COMPANY_KEY,
  EXPIRED_CERTIFICATE,
  EXPIRED_KEY,
  SELF_SIGNED_CERTIFICATE,
  SELF_SIGNED_KEY,
} from '../support/certificates.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connectTls, PemFolder } from '../support/tls-gateway.ts'

const GOOD: ConnectionOptions = { cert: CLIENT_CERTIFICATE, key: CLIENT_CERTIFICATE_KEY }
const BAD: Readonly<Record<string, ConnectionOptions>> = {
  none: {},
  'of another authority': { cert: COMPANY_CERTIFICATE, key: COMPANY_KEY },
  'of another authority, which it brings along': { cert: COMPANY_CERTIFICATE + COMPANY_INTERMEDIATE, key: COMPANY_KEY },
  expired: { cert: EXPIRED_CERTIFICATE, key: EXPIRED_KEY },
}

/** Whether a request came through. With TLS 1.3 a client hears only after its handshake that it was refused. */
async function isServed(port: number, options: ConnectionOptions): Promise<boolean> {
  try {
    using secured = await connectTls(port, { rejectUnauthorized: false, ...options })
    await secured.client.write(get('/up/x'))
    const response = await Promise.race([secured.client.response().catch(() => undefined), secured.client.ended()])
    return typeof response === 'object' && response.status === 200
  } catch {
    return false
  }
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`or are not served, over ${version}, whatever name they ask for`, async () => {
    using pems = new PemFolder()
    await using origin = await startOrigin()
    // Without a name, so that the other pair has one to itself.
    pems.write('self.pem', SELF_SIGNED_CERTIFICATE)
    pems.write('self-key.pem', SELF_SIGNED_KEY)
    const first = { cert: pems.file('self.pem'), key: pems.file('self-key.pem') }
    const named = { cert: pems.file('named.pem'), key: pems.file('named-key.pem') }
    await using gateway = await startGateway({
      ...upTo(origin),
      server: { tls: { certificates: [first, named], ca: pems.file('ca.pem') } },
    })
    const of: ConnectionOptions = { minVersion: version, maxVersion: version }
    for (const servername of [undefined, 'provider.test']) {
      const asks = { ...of, ...(servername !== undefined && { servername }) }
      for (const [name, certificate] of Object.entries(BAD)) {
        assert.equal(await isServed(gateway.port, { ...asks, ...certificate }), false, `${name}, ${servername}`)
      }
      assert.equal(origin.requests.length, 0)
      assert.equal(await isServed(gateway.port, { ...asks, ...GOOD }), true, String(servername))
      origin.requests.length = 0
    }
    const record = await gateway.waitForRecord()
    assert.equal(record.client_cert, 'CN=client')
    await gateway.waitForLog('TLS handshakes with clients failed')
  })
}

test('which a resumed session still tells of', async () => {
  using pems = new PemFolder()
  await using origin = await startOrigin()
  await using gateway = await startGateway({
    ...upTo(origin),
    server: { tls: { ...pems.pair, ca: pems.file('ca.pem') } },
  })
  let session: Buffer | undefined
  for (const isReused of [false, true]) {
    using secured = await connectTls(gateway.port, { ...GOOD, ...(session && { session }) })
    secured.socket.on('session', (given: Buffer) => {
      session = given
    })
    await secured.client.write(get('/up/x'))
    assert.equal((await secured.client.response()).status, 200)
    assert.equal(secured.socket.isSessionReused(), isReused)
  }
  await gateway.until(() => gateway.records().length === 2, 'two records')
  assert.deepEqual(
    gateway.records().map(({ client_cert }) => client_cert),
    ['CN=client', 'CN=client'],
  )
  // A session is good for those who were checked against the same authorities.
  pems.write('ca.pem', COMPANY_INTERMEDIATE)
  await gateway.waitForLog('TLS certificate reloaded')
  assert.equal(await isServed(gateway.port, { ...GOOD, session: session! }), false)
  assert.equal(await isServed(gateway.port, { cert: COMPANY_CERTIFICATE, key: COMPANY_KEY }), true)
})
