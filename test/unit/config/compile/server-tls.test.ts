/** Certificates of the gateway itself: read and tried when the configuration is loaded, and kept when their files go wrong. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type LoadedSettings, loadSettings } from '../../../../src/config/load.ts'
import { identityOf } from '../../../../src/config/source.ts'
import { changedFiles, changesBetween } from '../../../../src/config/watch/changes.ts'
import {
  CA,
  COMPANY_CERTIFICATE,
  COMPANY_INTERMEDIATE,
  COMPANY_KEY,
  EXPIRED_CERTIFICATE,
  EXPIRED_KEY,
  NAMED_CERTIFICATE,
  NAMED_KEY,
  SELF_SIGNED_CERTIFICATE,
  SELF_SIGNED_KEY,
  SERVER_CERTIFICATE,
  SERVER_KEY,
} from '../../../support/certificates.ts'
import { createFolder, linesOf, load, loadInvalid, loadValid } from '../configuration-folder.ts'
import { ENCRYPTED_KEY } from './pem.ts'

const FILES = {
  'cert.pem': SERVER_CERTIFICATE,
  'key.pem': SERVER_KEY,
  'named.pem': NAMED_CERTIFICATE,
  'named-key.pem': NAMED_KEY,
  'both.pem': SERVER_KEY + SERVER_CERTIFICATE,
  'expired.pem': EXPIRED_CERTIFICATE,
  'expired-key.pem': EXPIRED_KEY,
  'chain.pem': COMPANY_CERTIFICATE + COMPANY_INTERMEDIATE,
  'upside-down.pem': COMPANY_INTERMEDIATE + COMPANY_CERTIFICATE,
  'gap.pem': COMPANY_CERTIFICATE + CA,
  'company-key.pem': COMPANY_KEY,
  'encrypted.pem': ENCRYPTED_KEY,
  'ca.pem': CA,
  'half.pem': (CA + COMPANY_INTERMEDIATE).slice(0, -300),
  'broken.pem': CA.replace('MII', 'MIJ'),
}

const configuration = (tls: string): string => `version: 1\nserver:\n  tls: ${tls}\n`

function tlsOf(t: TestContext, tls: string, env: NodeJS.ProcessEnv = {}) {
  return loadValid(t, configuration(tls), { files: FILES, env }).configuration.server.tls
}

const PAIR = 'cert: cert.pem, key: key.pem'

test('what the files hold is part of the snapshot', (t) => {
  const tls = tlsOf(t, `{ ${PAIR}, ca: ca.pem, min_version: "1.3" }`)!
  const [pair] = tls.certificates
  assert.deepEqual(
    [pair?.cert, pair?.key, pair?.names, pair?.kept],
    [SERVER_CERTIFICATE, SERVER_KEY, ['provider.test'], undefined],
  )
  assert.equal(tls.ca?.pem, CA)
  assert.equal(tls.minVersion, 'TLSv1.3')
  assert.equal(tlsOf(t, `{ ${PAIR}, min_version: 1.2 }`)?.minVersion, 'TLSv1.2')
  assert.equal(tlsOf(t, `{ ${PAIR} }`)?.minVersion, 'TLSv1.2')
  const several = tlsOf(t, `{ certificates: [{ ${PAIR} }, { cert: named.pem, key: named-key.pem }] }`)
  assert.deepEqual(
    several?.certificates.map(({ cert }) => cert),
    [SERVER_CERTIFICATE, NAMED_CERTIFICATE],
  )
})

test('a key may come from anywhere that secrets come from', (t) => {
  const inside = `{ cert: cert.pem, key: ${JSON.stringify(SERVER_KEY)} }`
  for (const tls of [
    '{ cert: both.pem, key: both.pem }',
    '{ cert: cert.pem, key: { file: key.pem } }',
    '{ cert: cert.pem, key: { env: KEY } }',
    inside,
  ])
    assert.equal(tlsOf(t, tls, { KEY: SERVER_KEY })?.certificates.length, 1, tls)
})

test('the secret of tickets depends on the key and on who signs for clients', (t) => {
  const secrets = [
    `{ ${PAIR} }`,
    `{ ${PAIR} }`,
    `{ ${PAIR}, min_version: 1.3 }`,
    `{ ${PAIR}, ca: ca.pem }`,
    '{ cert: named.pem, key: named-key.pem }',
  ]
  const [one, same, stricter, checked, other] = secrets.map((tls) => tlsOf(t, tls)!.ticketSecret)
  assert.equal(one, same)
  assert.equal(one, stricter)
  assert.equal(new Set([one, checked, other]).size, 3)
  assert.equal(Buffer.from(one!, 'base64').length, 32)
})

test('what cannot serve is refused, with the place and the cure', (t) => {
  const noCertificates = 'must name a PEM file of certificates; this one holds none, or a broken one'
  const noKey = 'must name a PEM file of a private key without a passphrase'
  const missing = "names a file that does not exist (relative paths start at the configuration's folder)"
  for (const [tls, ...lines] of [
    ['{}', '3:3: server.tls: needs cert and key, or certificates: a list of pairs'],
    ['{ cert: cert.pem }', '3:10: server.tls.cert: needs key beside it'],
    ['{ key: key.pem }', '3:10: server.tls.key: needs cert beside it'],
    ['{ cert: a.pem, key: b.pem }', `3:10: server.tls.cert: ${missing}`, `3:23: server.tls.key: ${missing}`],
    [
      '{ cert: broken.pem, key: cert.pem }',
      `3:10: server.tls.cert: ${noCertificates}`,
      `3:28: server.tls.key: ${noKey}`,
    ],
    ['{ cert: cert.pem, key: encrypted.pem }', `3:26: server.tls.key: ${noKey}`],
    ['{ cert: cert.pem, key: named-key.pem }', '3:26: server.tls.key: is not the private key of cert'],
    [
      '{ cert: upside-down.pem, key: company-key.pem }',
      '3:10: server.tls.cert: must begin with the certificate of key; its issuers stand behind it',
    ],
    [`{ ${PAIR}, ca: key.pem }`, `3:40: server.tls.ca: ${noCertificates}`],
    [`{ ${PAIR}, min_version: 1.1 }`, '3:40: server.tls.min_version: must be "1.2" or "1.3"'],
    [
      `{ ${PAIR}, certificates: [] }`,
      '3:10: server.tls.cert: stands beside certificates; move the pair to the head of that list',
      '3:26: server.tls.key: stands beside certificates; move the pair to the head of that list',
      '3:40: server.tls.certificates: must hold a pair at least',
    ],
  ] as const) {
    assert.deepEqual(
      linesOf(loadInvalid(t, configuration(tls), { files: FILES }).problems),
      lines.map((line) => `fluxgate.yaml:${line}`),
      tls,
    )
  }
})

test('what clients will not like is a warning', (t) => {
  const warnings = (tls: string): string[] => {
    return load(t, configuration(tls), { files: FILES }).warnings.map(({ path, text }) => `${path}: ${text}`)
  }
  assert.deepEqual(warnings('{ cert: chain.pem, key: company-key.pem }'), [])
  assert.deepEqual(warnings('{ cert: expired.pem, key: expired-key.pem }'), [
    'server.tls.cert: expired on 2021-01-01; clients refuse it',
  ])
  assert.deepEqual(warnings('{ cert: gap.pem, key: company-key.pem }'), [
    'server.tls.cert: holds a chain in which a certificate is not followed by its issuer; some clients refuse that',
  ])
})

test('files that go wrong leave in force what they held, and the change says so once', (t) => {
  const folder = createFolder(t)
  for (const [name, pem] of Object.entries(FILES)) folder.write(name, pem)
  folder.write('fluxgate.yaml', configuration(`{ ${PAIR}, ca: ca.pem }`))
  const start = loadSettings(folder.file) as LoadedSettings
  assert.ok(start.ok)
  let before = start
  const reload = () => {
    const after = loadSettings(folder.file, {}, undefined, before.settings)
    assert.ok(after.ok, 'it stays valid')
    const changed = changedFiles(identityOf(before.sources), after.sources)
    const { certificates } = changesBetween(before.settings, after.settings, changed)
    before = after
    const {
      certificates: [pair],
      ca,
    } = after.settings.server.tls!
    const short = (path: string): string => path.slice(folder.path.length + 1)
    return {
      cert: pair?.cert,
      ca: ca?.pem,
      reloaded: certificates.reloaded.map(short),
      failing: certificates.failing.map(({ path, error }) => `${short(path)}: ${error}`),
      isAll: certificates.isAll,
    }
  }
  const same = { cert: SERVER_CERTIFICATE, ca: CA, reloaded: [], failing: [], isAll: true }
  folder.write('key.pem', NAMED_KEY)
  const mismatch = ['cert.pem: key: is not the private key of cert']
  assert.deepEqual(reload(), { ...same, failing: mismatch })
  assert.deepEqual(reload(), { ...same, isAll: false }, 'nothing new')
  folder.write('key.pem', SELF_SIGNED_KEY)
  assert.deepEqual(reload(), { ...same, failing: mismatch }, 'another content is another fault')
  folder.write('ca.pem', 'nonsense')
  assert.deepEqual(reload(), {
    ...same,
    failing: ['ca.pem: must name a PEM file of certificates; this one holds none, or a broken one'],
  })
  folder.write('cert.pem', SELF_SIGNED_CERTIFICATE)
  assert.deepEqual(reload(), { ...same, cert: SELF_SIGNED_CERTIFICATE, reloaded: ['cert.pem'] })
  folder.write('ca.pem', CA)
  assert.deepEqual(reload(), { ...same, cert: SELF_SIGNED_CERTIFICATE, reloaded: ['ca.pem'] })
  // A place that is new has nothing in force.
  folder.write('fluxgate.yaml', configuration('{ cert: broken.pem, key: key.pem, ca: ca.pem }'))
  assert.equal(loadSettings(folder.file, {}, undefined, before.settings).ok, false)
})

test('no problem repeats what a key file holds', (t) => {
  const secret = 'c2VjcmV0LXNlY3JldA'
  const files = {
    'cert.pem': SERVER_CERTIFICATE,
    'key.pem': `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`,
  }
  for (const key of ['key.pem', '{ env: KEY }', JSON.stringify(files['key.pem'])]) {
    const failure = loadInvalid(t, configuration(`{ cert: cert.pem, key: ${key} }`), {
      files,
      env: { KEY: files['key.pem'] },
    })
    assert.ok(!JSON.stringify(failure).includes(secret), key)
  }
})

test('a file of authorities that is half written is of no use, though those at its head are whole', (t) => {
  const { problems } = loadInvalid(t, configuration(`{ ${PAIR}, ca: half.pem }`), { files: FILES })
  assert.deepEqual(
    problems.map(({ path }) => path),
    ['server.tls.ca'],
  )
})
