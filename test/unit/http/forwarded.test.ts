import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatAddress, type PeerSet, parseRange } from '../../../src/http/address.ts'
import { isRefused } from '../../../src/http/downstream.ts'
import { forwardedClient } from '../../../src/http/forwarded.ts'
import { parseRequestHead } from '../../../src/http1/parse-request.ts'
import { growsWithItsInput } from '../../support/growth.ts'

const TRUSTED: PeerSet = {
  ranges: ['10.0.0.0/8', '2001:db8::/32'].map((text) => parseRange(text) as PeerSet['ranges'][number]),
  hasUnix: false,
}

function client(...lines: string[]): string | undefined {
  const head = parseRequestHead(['GET / HTTP/1.1', 'Host: a', ...lines, '', ''].join('\r\n'), 0)
  assert.ok(!isRefused(head), JSON.stringify(head))
  const address = forwardedClient(head, TRUSTED)
  return address === undefined ? undefined : formatAddress(address)
}

/** The request has been sent by a trusted proxy. */
const CASES: readonly (readonly [why: string, client: string | undefined, ...lines: string[]])[] = [
  ['no field', undefined],
  ['a client', '192.0.2.1', 'X-Forwarded-For: 192.0.2.1'],
  ['the name in any case, blanks around', '192.0.2.1', 'x-FORWARDED-for: \t192.0.2.1 '],
  ['no blank', '192.0.2.1', 'X-Forwarded-For:192.0.2.1'],
  ['a name that only begins so', undefined, 'X-Forwarded-Forwarded: 192.0.2.1', 'X-Forwarded-Fo: 192.0.2.1'],
  ['the rightmost that is not trusted', '192.0.2.2', 'X-Forwarded-For: 192.0.2.1, 192.0.2.2, 10.0.0.1,2001:db8::1'],
  ['the leftmost if all are', '10.0.0.3', 'X-Forwarded-For: 10.0.0.3, 10.0.0.2'],
  ['lines are one list', '192.0.2.2', 'X-Forwarded-For: 192.0.2.1', 'A: b', 'X-Forwarded-For: 192.0.2.2, 10.0.0.2'],
  ['lines, the last all trusted', '192.0.2.1', 'X-Forwarded-For: 192.0.2.1', 'X-Forwarded-For: 10.0.0.2'],
  ['a port', '192.0.2.1', 'X-Forwarded-For: 192.0.2.1:4711'],
  ['IPv6', '2001:db9::1', 'X-Forwarded-For: 2001:DB9:0::1'],
  ['IPv6 in brackets', '2001:db9::1', 'X-Forwarded-For: [2001:db9::1]'],
  ['IPv6 in brackets with a port', '2001:db9::1', 'X-Forwarded-For: [2001:db9::1]:4711, 10.0.0.1:80'],
  ['IPv4 mapped to IPv6', '192.0.2.1', 'X-Forwarded-For: ::ffff:192.0.2.1, ::ffff:10.0.0.1'],
  ['unknown', undefined, 'X-Forwarded-For: 192.0.2.1, unknown'],
  ['a hidden one', '10.0.0.1', 'X-Forwarded-For: 192.0.2.1, _hidden, 10.0.0.1'],
  ['an empty entry', '10.0.0.1', 'X-Forwarded-For: 192.0.2.1,, 10.0.0.1'],
  ['an empty field', undefined, 'X-Forwarded-For:'],
  ['garbage', '10.0.0.1', 'X-Forwarded-For: 192.0.2.1, <script>, 10.0.0.1'],
  ['brackets around IPv4', undefined, 'X-Forwarded-For: [192.0.2.1]'],
  ['a zone', undefined, 'X-Forwarded-For: fe80::1%eth0'],
  ['a Unix socket in front of the proxy', undefined, 'X-Forwarded-For: unix:'],
  ['no end of it', undefined, `X-Forwarded-For: ${'1'.repeat(40_000)}`],
  ['64 hops are the end', '10.0.0.1', `X-Forwarded-For: 192.0.2.1${', 10.0.0.1'.repeat(64)}`],
  ['63 are not', '192.0.2.1', `X-Forwarded-For: 192.0.2.1${', 10.0.0.1'.repeat(63)}`],

  ['Forwarded', '192.0.2.1', 'Forwarded: for=192.0.2.1'],
  ['Forwarded counts only alone', '10.0.0.1', 'Forwarded: for=192.0.2.1', 'X-Forwarded-For: 10.0.0.1'],
  ['not beside an empty one either', undefined, 'Forwarded: for=192.0.2.1', 'X-Forwarded-For:'],
  ['pairs', '192.0.2.1', 'Forwarded: proto=https;FOR=192.0.2.1 ; by="[::1]:80";ext="a, b; for=1.1.1.1"'],
  ['elements', '192.0.2.2', 'Forwarded: for=192.0.2.1, for=192.0.2.2;proto=http ,for=10.0.0.1'],
  ['lines of it', '192.0.2.2', 'Forwarded: for=192.0.2.2', 'Forwarded: for=10.0.0.1'],
  ['quoted IPv6', '2001:db9::1', 'Forwarded: for="[2001:db9::1]:4711"'],
  ['a hidden port', '2001:db9::1', 'Forwarded: for="[2001:db9::1]:_port"'],
  ['an escape in the quotes', '192.0.2.1', 'Forwarded: for="192.0.2.\\1"'],
  ['hidden', '10.0.0.1', 'Forwarded: for=192.0.2.1, for=_gazonk, for=10.0.0.1'],
  ['an element without for', undefined, 'Forwarded: for=192.0.2.1, by=10.0.0.1'],
  ['two for in an element', undefined, 'Forwarded: for=192.0.2.1;for=192.0.2.2'],
  ['unquoted IPv6', undefined, 'Forwarded: for=[2001:db9::1]'],
  ['an open quote of the client', undefined, 'Forwarded: for=192.0.2.9;x=", for=10.0.0.1'],
  ['an open quote before a quoted address', undefined, 'Forwarded: for=192.0.2.9;x=", for="[2001:db8::1]"'],
  ['an open quote in a line before', '10.0.0.1', 'Forwarded: for=192.0.2.9;x="', 'Forwarded: for=10.0.0.1'],
  ['a line of 8 KiB is read', '203.0.113.9', `Forwarded: ${','.repeat(8_170)}for=203.0.113.9`],
  ['a longer one tells nothing', undefined, `Forwarded: ${','.repeat(8_192)}for=203.0.113.9`],
  ['64 elements are the end of it', '10.0.0.1', `Forwarded: for=192.0.2.1${', for=10.0.0.1'.repeat(64)}`],
  ['63 elements are not', '192.0.2.1', `Forwarded: for=192.0.2.1${', for=10.0.0.1'.repeat(63)}`],
  ['an empty one', undefined, 'Forwarded:'],
  ['only commas', undefined, 'Forwarded: ,,,'],
]

for (const [why, expected, ...lines] of CASES) test(why, () => assert.equal(client(...lines), expected))

test('what a client writes to the left of what a proxy has added changes nothing', () => {
  const value = fc.string({ unit: fc.constantFrom(...'0123456789abcdf.:,[]"\\;=_ for') })
  fc.assert(
    fc.property(value, (left) => {
      assert.equal(client(`X-Forwarded-For: ${left}, 192.0.2.1`), '192.0.2.1')
      assert.ok([undefined, '192.0.2.1'].includes(client(`Forwarded: ${left}, for=192.0.2.1`)))
      assert.equal(client(`Forwarded: ${left}`, 'Forwarded: for=192.0.2.1'), '192.0.2.1')
    }),
  )
})

const SPICE = [' ', ',', 'a', 'for=a;', '"', '\\"', '="', '10.0.0.1,', 'for=10.0.0.1,', 'a=b ;']
for (const start of ['X-Forwarded-For:', 'Forwarded:', 'Forwarded:for="10.0.0.1"']) {
  for (const spice of SPICE) {
    growsWithItsInput(
      `the work of ${start} and much of ${JSON.stringify(spice)}`,
      48_000,
      (size) => {
        const value = `${spice.repeat(size / spice.length)}?`
        const head = parseRequestHead(`GET / HTTP/1.1\r\nHost: a\r\n${start}${value}\r\n\r\n`, 0)
        assert.ok(!isRefused(head))
        return () => forwardedClient(head, TRUSTED)
      },
      (reached) => assert.equal(reached, undefined),
    )
  }
}
