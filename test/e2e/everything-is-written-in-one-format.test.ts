import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/bytes.ts'
import { SELF_SIGNED_CERTIFICATE, SELF_SIGNED_KEY } from '../support/certificates.ts'
import { PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { OK, startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

// Node says on stderr that there are no roots when it first needs them, which is when an upstream is dialled over TLS.

const BARE = { SSL_CERT_DIR: '', SSL_CERT_FILE: '', NODE_EXTRA_CA_CERTS: '' }

for (const [what, env, missing] of [
  ['a folder of roots that is not there', { SSL_CERT_DIR: '/nowhere' }, ['SSL_CERT_DIR']],
  ['a file of roots that is not there', { SSL_CERT_FILE: '/nowhere.pem' }, ['SSL_CERT_FILE']],
  ['further roots that are not there', { NODE_EXTRA_CA_CERTS: '/nowhere.pem' }, ['NODE_EXTRA_CA_CERTS']],
  [
    'no roots at all',
    { SSL_CERT_DIR: '/nowhere', SSL_CERT_FILE: '/no where', NODE_EXTRA_CA_CERTS: '/no where' },
    ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_DIR', 'SSL_CERT_FILE'],
  ],
  ['roots', {}, []],
] as const) {
  test(`${what}: every line is one of the log`, async () => {
    await using origin = await startOrigin(OK, { tls: { cert: SELF_SIGNED_CERTIFICATE, key: SELF_SIGNED_KEY } })
    const up = { request_path: '/up', target_url: `https://127.0.0.1:${origin.port}`, api_key: PROVIDER_KEY }
    await using gateway = await startGateway({ upstreams: { up } }, { env: { ...BARE, ...env } })
    assert.equal((await exchange(gateway.port, get('/up/x'))).status, 502)
    gateway.signal('SIGTERM')
    assert.deepEqual(await gateway.exited, { code: 0, signal: null })
    const lines = gateway
      .log()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual(
      lines.filter(({ message }) => message === 'Certificates of the machine not found').map(({ name }) => name),
      missing,
    )
  })
}
