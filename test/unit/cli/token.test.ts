import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { verifyJwt } from '../../../src/access/jwt.ts'
import { reportToken } from '../../../src/cli/token-report.ts'
import { signToken } from '../../support/tokens.ts'
import { createFolder, loadValid } from '../config/configuration-folder.ts'

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))
const PORTAL = '0123456789abcdef0123456789abcdef'
const FREE = 'abcdef0123456789abcdef0123456789'
const STATIC = 'a-static-key-of-somebody'
const UPSTREAMS = `version: 1
upstreams:
  openai: { request_path: /openai, target_url: "http://127.0.0.1:9", api_key: provider }
  other: { request_path: /, target_url: "http://127.0.0.1:9", api_key: provider }
`
const CONFIG = `${UPSTREAMS}api_keys:
  static: [{ id: me, key: ${STATIC} }]
  jwt:
    - { id: portal, key: ${PORTAL}, audience: [fluxgate, b], issuer: https://idp, require_exp: true, upstreams: [openai] }
    - { id: free, key: ${FREE} }
`
const NOW = Date.UTC(2026, 10, 27, 12) / 1000

const decode = (part: string): Record<string, unknown> => JSON.parse(Buffer.from(part, 'base64url').toString())

describe('fluxgate token', () => {
  function runs(t: Parameters<typeof createFolder>[0], config = CONFIG) {
    const folder = createFolder(t)
    folder.write('fluxgate.yaml', config)
    return (args: readonly string[], input = '') => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'token', ...args], {
        cwd: folder.path,
        input,
        encoding: 'utf8',
      })
      for (const secret of [PORTAL, FREE, STATIC, 'provider'])
        assert.ok(!`${stdout}${stderr}`.includes(secret), 'no key is printed')
      return { code: status, stdout, stderr }
    }
  }

  test('the configuration may come through a pipe, but not where the token does', (t) => {
    const run = runs(t)
    const made = run(['--config', '-', '--id', 'free'], CONFIG)
    assert.deepEqual([made.code, made.stderr], [0, ''])
    assert.equal(run(['--config', '-', '--check', made.stdout.trim()], CONFIG).code, 0)
    const both = run(['--config', '-', '--check', '-'], CONFIG)
    assert.equal(both.code, 2)
    assert.match(both.stderr, /^error: the configuration and the token cannot both come from stdin\n/)
  })

  test('makes a token that its key takes, and prints nothing else', (t) => {
    const run = runs(t)
    const { code, stdout, stderr } = run(['--id', 'portal', '--subject', 'me', '--expires', '8h'])
    assert.deepEqual([code, stderr], [0, ''])
    const [header, claims] = stdout.trimEnd().split('.').slice(0, 2).map(decode)
    assert.deepEqual(header, { alg: 'HS256', typ: 'JWT', kid: 'portal' })
    const { exp, iat, ...rest } = claims!
    assert.deepEqual(rest, { iss: 'https://idp', sub: 'me', aud: 'fluxgate' })
    assert.equal(Number(exp) - Number(iat), 8 * 3600)
    assert.ok(Math.abs(Number(iat) - Date.now() / 1000) < 60)
    const { keys } = loadValid(t, CONFIG).configuration
    const identity = verifyJwt(stdout.trimEnd(), keys.jwtKeys, Date.now() / 1000)
    assert.ok(typeof identity !== 'string')
    assert.deepEqual([identity.name, identity.subject], ['portal', 'me'])

    for (const args of [['--check', stdout.trimEnd()], ['--check=-']]) {
      const checked = run(args, `Bearer ${stdout}`)
      assert.equal(checked.code, 0)
      assert.match(checked.stdout, /^ok {4}exp: .* UTC, in \d hours/m)
      assert.match(checked.stdout, /\nThe gateway takes this token\.\n$/)
      assert.ok(!checked.stdout.includes(stdout.trimEnd().split('.')[2]!))
    }
  })

  test('makes one as it is wanted, and says so if it is no good', (t) => {
    const { code, stdout, stderr } = runs(t)([
      '--id=portal',
      '--audience=x',
      '--audience=y',
      '--issuer=z',
      '--expires=never',
      '--not-before=2030-01-31',
    ])
    assert.equal(code, 0)
    const { iat: _, ...claims } = decode(stdout.split('.')[1]!)
    assert.deepEqual(claims, { iss: 'z', aud: ['x', 'y'], nbf: 1_896_048_000 })
    assert.equal(stderr, "note: the gateway refuses this token now: The token's `iss` is none of `issuer`.\n")
  })

  test('takes the only key there is, and else wants to know which', (t) => {
    const alone = runs(t, `${UPSTREAMS}api_keys: { jwt: [{ id: "the \\u202eone", key: ${FREE} }] }\n`)
    const made = alone([])
    assert.equal(made.code, 0)
    assert.equal(decode(made.stdout.split('.')[0]!)['kid'], 'the \u202eone')
    assert.deepEqual(alone(['--id', 'x']), {
      code: 2,
      stdout: '',
      stderr: 'error: no key under api_keys.jwt has the id "x"; there are "the \\u202eone"\n',
    })
    assert.equal(
      runs(t)([]).stderr,
      'error: several keys are configured, choose one by --id; there are "portal", "free"\n',
    )
    const none = runs(t, UPSTREAMS)([])
    assert.equal(
      none.stderr,
      'error: the configuration has no key under api_keys.jwt, and only such a key signs tokens\n',
    )
    assert.equal(none.code, 2)
  })

  test('ends with 1 for a token that is refused, and with 2 where nothing could be found out', (t) => {
    const run = runs(t)
    assert.equal(run(['--check', signToken('free', PORTAL, {})]).code, 1)
    assert.equal(run(['--check', '-'], '').code, 1)
    assert.equal(run(['--check', '-', '--id', 'free']).code, 2)
    const missing = run(['--check', '-', '--config', 'missing.yaml'])
    assert.equal(missing.code, 2)
    assert.match(missing.stderr, /^error: missing\.yaml: /)
  })
})

describe('what is said of a token', () => {
  const report = (t: Parameters<typeof loadValid>[0], token: string, config = CONFIG) =>
    reportToken(token, loadValid(t, config), NOW)
  const good = { iss: 'https://idp', aud: 'b', exp: NOW + 90_061 }

  test('that is right', (t) => {
    const token = signToken('portal', PORTAL, { ...good, nbf: NOW - 60, sub: 'line\n\u202e' }, { typ: undefined })
    assert.deepEqual(report(t, token), {
      isTaken: true,
      lines: [
        `ok    form: three parts of base64url, ${token.length} of at most 16384 bytes`,
        'ok    alg: HS256',
        'ok    typ: none, which is fine',
        'ok    crit, zip: none',
        'ok    kid: "portal", an id under api_keys.jwt',
        'ok    signature: right',
        'ok    claims: well-formed',
        'ok    iss: "https://idp"; asked for: "https://idp"',
        'ok    aud: "b"; asked for: "fluxgate" or "b"',
        'ok    nbf: 2026-11-27 11:59:00 UTC, 1 minute ago',
        'ok    exp: 2026-11-28 13:01:01 UTC, in 1 day 1 hour',
        '      now: 2026-11-27 12:00:00 UTC, by the clock of this machine',
        '      sub: "line\\n\\u202e"',
        'ok    opens: "openai" (/openai)',
        'The gateway takes this token.',
      ],
    })
  })

  test('that is wrong in every claim', (t) => {
    const { lines } = report(t, signToken('portal', PORTAL, { iss: 7, aud: ['x', 8], nbf: NOW + 86_400, sub: ['a'] }))
    assert.deepEqual(lines.slice(7), [
      'WRONG iss: 7; asked for: "https://idp"',
      'WRONG aud: ["x",8]; asked for: "fluxgate" or "b"',
      'WRONG nbf: 2026-11-28 12:00:00 UTC, in 1 day; outside the leeway of 5 s',
      'WRONG exp: none; require_exp asks for one',
      '      now: 2026-11-27 12:00:00 UTC, by the clock of this machine',
      '      sub: ["a"], which is no text; the log shows none',
      'ok    opens: "openai" (/openai)',
      'The gateway refuses this token, and its log says cause=issuer.',
    ])
  })

  for (const [what, token, line, cause] of [
    ['nothing', '', 'form: there is no token', 'unknown_key'],
    ['no token', 'wrong', 'form: no JWT, for that has three parts between dots, and this has 1', 'unknown_key'],
    [
      'an encrypted one',
      'eyJ.a.b.c.d',
      'form: five parts, an encrypted token (JWE); only signed ones are taken',
      'malformed',
    ],
    ['a long one', `eyJ${'x'.repeat(16_382)}`, 'form: 16385 bytes, and 16384 are the most', 'too_long'],
    [
      'another algorithm',
      signToken('free', FREE, {}, { alg: 'RS256' }),
      'alg: "RS256"; only HS256 is taken',
      'algorithm',
    ],
    ['another type', signToken('free', FREE, {}, { typ: 'at+jwt' }), 'typ: "at+jwt"; it must be JWT, or absent', 'typ'],
    ['no kid', signToken('free', FREE, {}, { kid: undefined }), 'kid: none; known are "portal", "free"', 'kid'],
    ['another kid', signToken('x', FREE, {}), 'kid: "x" is no id under api_keys.jwt: "portal", "free"', 'kid'],
    [
      'another key',
      signToken('free', PORTAL, {}),
      'signature: wrong; it was not made with the key of "free"',
      'signature',
    ],
    [
      'its end',
      signToken('free', FREE, { exp: NOW - 60 }),
      'exp: 2026-11-27 11:59:00 UTC, over for 1 minute; outside the leeway of 5 s',
      'expired',
    ],
  ] as const) {
    test(`that is refused for ${what}`, (t) => {
      const { isTaken, lines } = report(t, token)
      assert.equal(isTaken, false)
      assert.deepEqual(
        lines.filter((each) => each.startsWith('WRONG')),
        [`WRONG ${line}`],
      )
      assert.equal(lines.at(-1), `The gateway refuses this token, and its log says cause=${cause}.`)
    })
  }

  test('within the leeway, and at times in no calendar', (t) => {
    const { isTaken, lines } = report(t, signToken('free', FREE, { exp: NOW - 3, nbf: NOW + 4 }))
    assert.equal(isTaken, true)
    assert.ok(lines.includes('ok    exp: 2026-11-27 11:59:57 UTC, over for 3 seconds; within the leeway of 5 s'))
    assert.ok(lines.includes('ok    nbf: 2026-11-27 12:00:04 UTC, in 4 seconds; within the leeway of 5 s'))
    const late = report(t, signToken('free', FREE, { exp: 1e300 })).lines
    assert.ok(
      late.includes('ok    exp: 1e+300 seconds since 1970 (are these milliseconds?), in more than 3000 years'),
      late.join('\n'),
    )
  })

  test('where it is no matter of tokens', (t) => {
    assert.deepEqual(report(t, STATIC), {
      isTaken: true,
      lines: ['This is no token, but the static key "me", which the gateway takes.'],
    })
    const anonymous = 'version: 1\nserver: { allow_anonymous: true }\n'
    assert.deepEqual(report(t, 'x', anonymous), {
      isTaken: true,
      lines: ['The gateway lets everybody in (server.allow_anonymous) and looks at no token.'],
    })
    const none = report(t, signToken('free', FREE, {}), `version: 1\napi_keys: { jwt: [{ id: free, key: ${FREE} }] }\n`)
    assert.deepEqual([none.isTaken, none.lines.at(-2)], [false, 'WRONG opens: nothing, for no upstream is configured'])
    const keyless = report(t, signToken('free', FREE, {}), `${UPSTREAMS}api_keys: { static: [{ key: ${STATIC} }] }\n`)
    assert.deepEqual(keyless.lines.slice(-3), [
      'WRONG kid: the configuration has no key under api_keys.jwt',
      '      what it claims was not looked at',
      'The gateway refuses this token, and its log says cause=unknown_key.',
    ])
  })

  test('is wrong somewhere whenever the gateway refuses it, and never otherwise', (t) => {
    const loaded = loadValid(t, CONFIG)
    const time = fc.oneof(fc.constant(undefined), fc.integer({ min: NOW - 10, max: NOW + 10 }), fc.constant('1'))
    const claim = fc.constantFrom(undefined, 'https://idp', 'fluxgate', ['x', 'b'], [], 7, null)
    const claims = fc.record({ iss: claim, aud: claim, sub: claim, exp: time, nbf: time })
    const header = fc.record({
      alg: fc.constantFrom('HS256', 'HS256', 'HS256', 'none'),
      typ: fc.constantFrom(undefined, 'JWT', 'JWT', 'x'),
      kid: fc.constantFrom('portal', 'portal', 'free', 'x'),
      crit: fc.constantFrom(undefined, undefined, undefined, []),
    })
    const key = fc.constantFrom(PORTAL, FREE)
    fc.assert(
      fc.property(claims, header, key, (claims, header, key) => {
        const token = signToken('', key, claims, header)
        const { isTaken, lines } = reportToken(token, loaded, NOW)
        assert.equal(isTaken, typeof verifyJwt(token, loaded.configuration.keys.jwtKeys, NOW) !== 'string')
        assert.equal(
          lines.some((line) => line.startsWith('WRONG')),
          !isTaken,
        )
        assert.ok(!lines.some((line) => line.includes('\n')))
      }),
      { numRuns: 500 },
    )
  })
})
