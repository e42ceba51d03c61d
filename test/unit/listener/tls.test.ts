import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'
import type { ServerTls } from '../../../src/config/snapshot.ts'
import { Arrival } from '../../../src/listener/arrival.ts'
import { TlsTerms } from '../../../src/listener/tls.ts'
import {
  CA,
  CLIENT_CERTIFICATE,
  CLIENT_CERTIFICATE_KEY,
  SERVER_CERTIFICATE,
  SERVER_KEY,
} from '../../support/certificates.ts'

const NONE = { path: '', files: [], kept: undefined, place: '' }
const SETTINGS: ServerTls = {
  certificates: [{ ...NONE, cert: SERVER_CERTIFICATE, key: SERVER_KEY, names: [] }],
  ca: { ...NONE, pem: CA },
  minVersion: 'TLSv1.2',
  ticketSecret: 'secret',
  digest: '',
}

/** Ends every handshake with one byte, and says how it went. */
async function listen(terms: TlsTerms) {
  const ends: string[] = []
  const server = net.createServer({ pauseOnConnect: true }, (accepted) => {
    const tell = (end: string): void => void ends.push(end)
    const options = { terms, isOverLimit: false, clientIp: undefined, needsHeader: false }
    new Arrival(accepted, options, {
      secured: (socket) => {
        tell(socket.isSessionReused() ? 'resumed' : 'whole')
        socket.on('error', () => {}).end('.')
      },
      plain: () => tell('plain'),
      proxyHeaderFailed: () => tell('no header'),
      handshakeFailed: (cause) => tell(String(cause)),
      bug: (error) => tell(String(error)),
      closed: () => {},
    }).begin()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  return {
    ends,
    /** Returns the sessions that it was given. */
    async connect(version: tls.SecureVersion, session?: Buffer): Promise<Buffer[]> {
      const certificate = { cert: CLIENT_CERTIFICATE, key: CLIENT_CERTIFICATE_KEY }
      const of = { minVersion: version, maxVersion: version, ...(session && { session }) }
      const socket = tls.connect({ port, host: '127.0.0.1', ca: CA, ...certificate, ...of })
      const sessions: Buffer[] = []
      socket.on('session', (given: Buffer) => void sessions.push(given))
      socket.on('error', () => {}).resume()
      await new Promise((resolve) => socket.once('close', resolve))
      return sessions
    },
    [Symbol.dispose]: () => void server.close(),
  }
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a certificate that has expired since is refused to a resumed session as well, over ${version}`, async () => {
    let now = Date.now()
    using server = await listen(new TlsTerms(SETTINGS, () => now))
    const [session] = await server.connect(version)
    await server.connect(version, session)
    now = Date.parse('9999-12-31')
    await server.connect(version, session)
    assert.deepEqual(server.ends, ['whole', 'resumed', 'CERT_HAS_EXPIRED'])
  })
}

test('where a certificate was checked, who resumes is given no session that would begin anew', async () => {
  using server = await listen(new TlsTerms(SETTINGS))
  const [session] = await server.connect('TLSv1.3')
  assert.deepEqual(await server.connect('TLSv1.3', session), [])
  assert.deepEqual(await server.connect('TLSv1.3', session), [], 'but it may be used again')
  assert.deepEqual(server.ends, ['whole', 'resumed', 'resumed'])
  using open = await listen(new TlsTerms({ ...SETTINGS, ca: undefined }))
  const [other] = await open.connect('TLSv1.3')
  assert.equal((await open.connect('TLSv1.3', other)).length, 1)
})
