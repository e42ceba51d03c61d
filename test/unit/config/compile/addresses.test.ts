/** `server.bind_address`, `request_path` and `target_url`: how the texts are taken apart. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseBindAddress } from '../../../../src/config/compile/bind-address.ts'
import { parseRequestPath } from '../../../../src/config/compile/request-path.ts'
import { hasDotSegment, isHostName, parseTargetUrl } from '../../../../src/config/compile/target-url.ts'
import { oddCharacter } from '../text/odd-character.ts'

test('bind addresses', () => {
  for (const [text, host, port] of [
    ['0.0.0.0:8080', '0.0.0.0', 8080],
    ['127.0.0.1:0', '127.0.0.1', 0],
    ['127.0.0.1:65535', '127.0.0.1', 65535],
    ['[::1]:80', '::1', 80],
    ['[::]:0', '::', 0],
    ['[fe80::1%eth0]:80', 'fe80::1%eth0', 80],
    ['[::ffff:127.0.0.1]:80', '::ffff:127.0.0.1', 80],
  ] as const) {
    assert.deepEqual(parseBindAddress(text, '/etc'), { host, port, text })
  }
})

test('what is no bind address', () => {
  for (const text of [
    ...[
      '',
      ' ',
      '8080',
      ':8080',
      'localhost:8080',
      '*:8080',
      '127.0.0.1',
      '127.0.0.1:',
      '127.0.0.1:65536',
      '127.0.0.1:-1',
    ],
    ...[
      '127.0.0.1:8080 ',
      ' 127.0.0.1:8080',
      '127.0.0.1:8o',
      '127.0.0.1:000080',
      '127.1:80',
      '256.0.0.1:80',
      '01.0.0.1:80',
    ],
    ...[
      '::1:80',
      '[::1]',
      '[::1]:',
      '[127.0.0.1]:80',
      '[::g]:80',
      '[]:80',
      'http://127.0.0.1:80',
      '127.0.0.1:80\n',
      '0x7f.0.0.1:80',
    ],
  ]) {
    assert.match(wrong(text), /^must be an IPv4 address or /, JSON.stringify(text))
  }
})

function wrong(text: string): string {
  const parsed = parseBindAddress(text, '/etc/fluxgate')
  return 'wrong' in parsed ? parsed.wrong : `fine: ${parsed.text}`
}

test('Unix sockets', () => {
  const path = (text: string) => {
    const parsed = parseBindAddress(text, '/etc/fluxgate')
    assert.ok(!('wrong' in parsed) && parsed.text === text)
    return parsed.path
  }
  assert.equal(path('unix:/run/x.sock'), '/run/x.sock')
  assert.equal(path('unix:x.sock'), '/etc/fluxgate/x.sock')
  assert.equal(path('unix:../x y.sock'), '/etc/x y.sock')
  assert.equal(path('unix:/run/127.0.0.1:80'), '/run/127.0.0.1:80')
  assert.equal(path('unix:@x'), '/etc/fluxgate/@x')
})

test('what is no Unix socket', () => {
  for (const text of ['unix:', 'unix:/run/', 'unix:/run/a\0b', 'unix:\0b', 'unix:/run/a\nb', 'unix:/run/\ud800']) {
    assert.match(wrong(text), /^must name the file of a socket after unix:/, JSON.stringify(text))
  }
  const longest = process.platform === 'linux' ? 107 : 103
  const text = (length: number) => `unix:/${'x'.repeat(length - 1)}`
  assert.equal(wrong(text(longest)), `fine: ${text(longest)}`)
  assert.match(
    wrong(text(longest + 1)),
    new RegExp(`^names a path of ${longest + 1} bytes, and a socket takes ${longest} `),
  )
  // What counts is the path that is bound, in bytes.
  assert.match(wrong(`unix:${'ü'.repeat(50)}`), /^names a path of 114 bytes/)
  assert.match(wrong('Unix:/run/x'), /^must be an IPv4 address or /)
})

test('request paths lose their trailing slashes and nothing else', () => {
  for (const [text, prefix] of [
    ['/', ''],
    ['/openai', '/openai'],
    ['/openai/', '/openai'],
    ['/openai///', '/openai'],
    ['/a//b/', '/a//b'],
    ['/a%2Fb', '/a%2Fb'],
    ['/A.b_c~!$&()+,;=@', '/A.b_c~!$&()+,;=@'],
    ['/...', '/...'],
  ]) {
    assert.deepEqual(parseRequestPath(text!), { prefix })
  }
})

test('request paths that are wrong', () => {
  for (const [text, wrong] of [
    ['', /start with \//],
    ['openai', /start with \//],
    ['//openai', /one slash/],
    ['//', /one slash/],
    ['/a:b', /colon/],
    ['/a?b', /query/],
    ['/a#b', /fragment/],
    ['/a b', /visible ASCII/],
    ['/ä', /visible ASCII/],
    ['/a\n', /visible ASCII/],
    ['/a\x7f', /visible ASCII/],
    ['/a/../b', /segments/],
    ['/./b', /segments/],
    ['/a/%2e%2E', /segments/],
    ['/a%2f..', /segments/],
    ['/openai/*', /prefix, not a pattern/],
    ['/{tenant}/openai', /prefix, not a pattern/],
    ['/%6fpenai', /percent-encode/],
    ['/a%7E', /percent-encode/],
    ['/a%2d', /percent-encode/],
  ] as const) {
    const parsed = parseRequestPath(text)
    assert.ok('wrong' in parsed, JSON.stringify(text))
    assert.match(parsed.wrong, wrong)
  }
})

test('target URLs', () => {
  for (const [text, scheme, host, port, authority, basePath] of [
    ['https://api.openai.com', 'https', 'api.openai.com', 443, 'api.openai.com', ''],
    ['https://api.openai.com/', 'https', 'api.openai.com', 443, 'api.openai.com', ''],
    ['https://API.OpenAI.com/v1/', 'https', 'api.openai.com', 443, 'API.OpenAI.com', '/v1'],
    ['HTTP://a:80/x//y//', 'http', 'a', 80, 'a', '/x//y'],
    ['http://a:443', 'http', 'a', 443, 'a:443', ''],
    ['https://a:80', 'https', 'a', 80, 'a:80', ''],
    ['https://a:0443', 'https', 'a', 443, 'a', ''],
    ['https://a:', 'https', 'a', 443, 'a', ''],
    ['http://127.0.0.1:11434/v1', 'http', '127.0.0.1', 11434, '127.0.0.1:11434', '/v1'],
    ['http://[::1]:80/', 'http', '::1', 80, '[::1]', ''],
    ['http://[FE80::1]:8080/', 'http', 'fe80::1', 8080, '[FE80::1]:8080', ''],
    ['http://my_service.local.:8/', 'http', 'my_service.local.', 8, 'my_service.local:8', ''],
    ['https://xn--bcher-kva.example', 'https', 'xn--bcher-kva.example', 443, 'xn--bcher-kva.example', ''],
    // As it is written: nothing is decoded, encoded or merged.
    ['https://a/%7euser/%2F//b;c=d|e"f<g>/', 'https', 'a', 443, 'a', '/%7euser/%2F//b;c=d|e"f<g>'],
    ['https://a/v1:beta/@x', 'https', 'a', 443, 'a', '/v1:beta/@x'],
  ] as const) {
    assert.deepEqual(parseTargetUrl(text), { scheme, host, port, authority, basePath })
  }
})

test('target URLs that are wrong', () => {
  for (const [text, wrong] of [
    ['', /absolute/],
    ['api.openai.com', /absolute/],
    ['//api.openai.com', /absolute/],
    ['ftp://a', /absolute/],
    ['https:/a', /absolute/],
    [' https://a', /absolute/],
    ['https://', /host name/],
    ['https:///path', /host name/],
    ['https://u@a', /user or password/],
    ['https://u:p@a', /user or password/],
    ['https://:@a', /user or password/],
    ['https://a?x', /query/],
    ['https://a/?', /query/],
    ['https://a#', /fragment/],
    ['https://a/b#c?d', /fragment/],
    ['https://a/b?c#d', /query/],
    ['https://a:0', /port/],
    ['https://a:65536', /port/],
    ['https://a:8o', /port/],
    ['https://a:1:2', /port/],
    ['https://a b/', /host name/],
    ['https://a\\b/', /host name/],
    ['https://a%41/', /host name/],
    ['https://bücher.example', /punycode/],
    ['https://1.2.3', /host name/],
    ['https://1.2.3.4.5', /host name/],
    ['https://0x7f.1', /host name/],
    ['https://2130706433', /host name/],
    ['https://a..b', /host name/],
    ['https://-a', /host name/],
    ['https://[::1', /host/],
    ['https://[::g]', /IPv6/],
    ['https://[fe80::1%25eth0]', /IPv6/],
    ['https://a/b c', /visible ASCII/],
    ['https://a/ä', /visible ASCII/],
    ['https://a/\r\nX-Evil: 1', /visible ASCII/],
    ['https://a\r\n/', /host name/],
    ['https://a/b/../c', /segments/],
    ['https://a/.', /segments/],
    ['https://a/%2e%2e/c', /segments/],
  ] as const) {
    const parsed = parseTargetUrl(text)
    assert.ok('wrong' in parsed, JSON.stringify(text))
    assert.match(parsed.wrong, wrong)
    assert.doesNotMatch(parsed.wrong, /:p@|Evil/)
  }
})

/** What reaches a request line or a Host field is made of these characters only, whatever the file says. */
test('no accepted URL can break a head', () => {
  const part = fc.oneof(
    fc.string({ unit: oddCharacter, maxLength: 6 }),
    fc.constantFrom('/', '.', '..', '@', ':', '[', ']', '%2e', '\r\n', 'a'),
  )
  fc.assert(
    fc.property(fc.constantFrom('http', 'https'), fc.array(part, { maxLength: 6 }), (scheme, parts) => {
      const target = parseTargetUrl(`${scheme}://${parts.join('')}`)
      if ('wrong' in target) return
      assert.match(target.authority, /^[A-Za-z0-9._:[\]-]+$/)
      assert.match(target.basePath, /^(?:\/[\x21-\x7e]*)?$/)
      assert.doesNotMatch(target.basePath, /[?#]|\/$/)
      assert.equal(new URL(`http://${target.authority}/`).username, '')
    }),
  )
})

test('host names', () => {
  for (const name of ['a', 'a.b', 'a.b.', 'a-b.c_d', '1a.b1', `${'a'.repeat(63)}.b`]) assert.ok(isHostName(name), name)
  for (const name of [
    '',
    '.',
    'a..b',
    '.a',
    '-a',
    'a-',
    'a.-b',
    '1',
    'a.1',
    'a.0x',
    `${'a'.repeat(64)}.b`,
    'a.'.repeat(128),
  ]) {
    assert.ok(!isHostName(name), name)
  }
})

test('dot segments show through escapes, on both kinds of slashes', () => {
  for (const path of ['.', '/..', '/a/./b', '/%2E/', '/.%2e', '/a%5C..', '/a\\..\\b'])
    assert.ok(hasDotSegment(path), path)
  for (const path of ['', '/', '/...', '/.a', '/a.', '/a..b', '/%252e', '/%2']) assert.ok(!hasDotSegment(path), path)
})
