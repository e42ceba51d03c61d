/** TLS files of upstreams: read and checked when the configuration is loaded. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linesOf, loadInvalid, loadValid } from '../configuration-folder.ts'
import { CA, CLIENT_CERTIFICATE, CLIENT_KEY, ENCRYPTED_KEY } from './pem.ts'

const FILES = {
  'ca.pem': CA,
  'bundle.pem': `# two of them\n${CA}\ntext between\n${CLIENT_CERTIFICATE}`,
  'client.pem': CLIENT_CERTIFICATE,
  'client.key': CLIENT_KEY,
  'encrypted.key': ENCRYPTED_KEY,
  'broken.pem': CA.replace('MII', 'MIJ'),
  'cut.pem': CA + CA.slice(0, -100),
  'half.pem': `${CA}\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n`,
  'empty.pem': '',
  'large.pem': 'x'.repeat(1024 * 1024 + 1),
}

/** The lines of `tls` start at 7:7. */
function configuration(tls: Readonly<Record<string, string>>): string {
  const lines = Object.entries(tls).map(([key, value]) => `      ${key}: ${value}\n`)
  return `version: 1\nupstreams:\n  a:\n    request_path: /a\n    target_url: https://a:8443\n    tls:\n${lines.join('')}`
}

test('the PEM texts are part of the snapshot', (t) => {
  const text = configuration({ ca: 'ca.pem', server_name: 'models.example', cert: 'client.pem', key: 'client.key' })
  const { configuration: loaded, sources } = loadValid(t, text, { files: FILES })
  assert.deepEqual(loaded.upstreams[0]?.tls, {
    ca: CA,
    serverName: 'models.example',
    cert: CLIENT_CERTIFICATE,
    key: CLIENT_KEY,
  })
  assert.deepEqual(
    sources.map(({ path }) => path.split('/').at(-1)),
    ['fluxgate.yaml', 'ca.pem', 'client.pem', 'client.key'],
  )
})

test('each part may stand alone, and none is none', (t) => {
  const tls = (part: Readonly<Record<string, string>>) =>
    loadValid(t, configuration(part), { files: FILES }).configuration.upstreams[0]?.tls
  assert.equal(tls({ ca: 'bundle.pem' })?.ca, FILES['bundle.pem'])
  assert.equal(tls({ server_name: 'b.example' })?.serverName, 'b.example')
  assert.equal(tls({}), undefined)
})

test('files that cannot serve are refused', (t) => {
  const noCertificates = 'must name a PEM file of certificates; this one holds none, or a broken one'
  const noKey = 'must name a PEM file of a private key without a passphrase'
  const larger = "names a file that is larger than 1 MiB (relative paths start at the configuration's folder)"
  for (const [tls, line] of [
    [{ ca: 'client.key' }, `7:7: upstreams.a.tls.ca: ${noCertificates}`],
    [{ ca: 'broken.pem' }, `7:7: upstreams.a.tls.ca: ${noCertificates}`],
    [{ ca: 'half.pem' }, `7:7: upstreams.a.tls.ca: ${noCertificates}`],
    [{ ca: 'cut.pem' }, `7:7: upstreams.a.tls.ca: ${noCertificates}`],
    [{ ca: 'empty.pem' }, `7:7: upstreams.a.tls.ca: ${noCertificates}`],
    [{ ca: 'large.pem' }, `7:7: upstreams.a.tls.ca: ${larger}`],
    [{ cert: 'client.pem' }, '7:7: upstreams.a.tls.cert: needs key beside it'],
    [{ key: 'client.key' }, '7:7: upstreams.a.tls.key: needs cert beside it'],
    [{ cert: 'client.key', key: 'client.key' }, `7:7: upstreams.a.tls.cert: ${noCertificates}`],
    [{ cert: 'client.pem', key: 'client.pem' }, `8:7: upstreams.a.tls.key: ${noKey}`],
    [{ cert: 'client.pem', key: 'encrypted.key' }, `8:7: upstreams.a.tls.key: ${noKey}`],
    [{ cert: 'ca.pem', key: 'client.key' }, '8:7: upstreams.a.tls.key: is not the private key of cert'],
  ] as const) {
    const { problems } = loadInvalid(t, configuration(tls), { files: FILES })
    assert.deepEqual(linesOf(problems), [`fluxgate.yaml:${line}`])
  }
})

/** Connections are shared by endpoint, so it must tell apart whatever makes another connection. */
test('an endpoint is scheme, host, port and TLS material', (t) => {
  const upstream = (n: number, url: string, tls: string) =>
    `  u${n}: { request_path: /u${n}, target_url: "${url}", tls: ${tls} }\n`
  const variants = [
    ['https://a:443/v1', '~'],
    ['https://A/v2', '{}'],
    ['https://a:8443', '~'],
    ['http://a:443', '~'],
    ['https://[::1]', '~'],
    ['https://a', '{ ca: ca.pem }'],
    ['https://a', '{ ca: bundle.pem }'],
    ['https://a', '{ server_name: b.example }'],
    ['https://a', '{ cert: client.pem, key: client.key }'],
  ] as const
  const text = `version: 1\nupstreams:\n${variants.map(([url, tls], n) => upstream(n, url, tls)).join('')}`
  const endpoints = loadValid(t, text, { files: FILES }).configuration.upstreams.map(({ endpoint }) => endpoint)
  assert.deepEqual(endpoints.slice(0, 5), [
    'https://a:443',
    'https://a:443',
    'https://a:8443',
    'http://a:443',
    'https://[::1]:443',
  ])
  assert.equal(new Set(endpoints).size, endpoints.length - 1)
  for (const endpoint of endpoints) assert.doesNotMatch(endpoint, /BEGIN|PRIVATE/)
})
