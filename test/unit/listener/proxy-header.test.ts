import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ProxyHeaderReader } from '../../../src/listener/proxy-header.ts'

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n')

/** Version 2 and the command in one octet, family and transport in another, and what follows. */
function v2(command: number, family: number, rest: Buffer, length = rest.length): Buffer {
  return Buffer.concat([SIGNATURE, Buffer.from([command, family, length >> 8, length & 0xff]), rest])
}

const INET = Buffer.from([203, 0, 113, 9, 10, 0, 0, 1, 0x15, 0xb3, 0x1f, 0x90])
const INET6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000009', 'hex'),
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from([0x15, 0xb3, 0x1f, 0x90]),
])
const MAPPED = Buffer.concat([Buffer.from('00000000000000000000ffffcb007109', 'hex'), Buffer.alloc(20)])
const UNIX = Buffer.alloc(216, '/run/client.sock\0')
const TLV = Buffer.from([0x04, 0, 3, 1, 2, 3, 0xea, 0, 1, 9])

const CONNECTIONS_OWN = 'whole'
const named = (ip: string) => `whole ${ip}`

/** What a header comes to. Everything behind it is left alone. */
const CASES: readonly (readonly [why: string, header: Buffer | string, result: string])[] = [
  ['TCP4', 'PROXY TCP4 203.0.113.9 10.0.0.1 5555 8080\r\n', named('203.0.113.9')],
  ['TCP6', 'PROXY TCP6 2001:DB8:0::9 2001:db8::1 5555 8080\r\n', named('2001:db8::9')],
  ['TCP6 with IPv4 in it', 'PROXY TCP6 ::ffff:203.0.113.9 ::ffff:10.0.0.1 5555 8080\r\n', named('203.0.113.9')],
  ['the longest line', `PROXY UNKNOWN ${'f'.repeat(91)}\r\n`, CONNECTIONS_OWN],
  ['UNKNOWN', 'PROXY UNKNOWN\r\n', CONNECTIONS_OWN],
  ['UNKNOWN with addresses', 'PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n', CONNECTIONS_OWN],
  ['a line too long', `PROXY UNKNOWN ${'f'.repeat(92)}\r\n`, 'too_long'],
  ['a request', 'POST / HTTP/1.1\r\n', 'no_header'],
  ['a request that begins alike', 'PROPFIND / HTTP/1.1\r\n', 'no_header'],
  ['TLS', Buffer.from([0x16, 3, 1]), 'no_header'],
  ['empty lines', '\r\n\r\nGET / HTTP/1.1\r\n', 'no_header'],
  ['another case', 'proxy TCP4', 'no_header'],
  ['another protocol', 'PROXY UDP4 203.0.113.9 10.0.0.1 5555 8080\r\n', 'malformed'],
  ['no name', 'PROXY TCP4 client.example 10.0.0.1 5555 8080\r\n', 'malformed'],
  ['the other family', 'PROXY TCP4 2001:db8::9 2001:db8::1 5555 8080\r\n', 'malformed'],
  ['the other family again', 'PROXY TCP6 203.0.113.9 10.0.0.1 5555 8080\r\n', 'malformed'],
  ['a zone', 'PROXY TCP6 fe80::1%eth0 fe80::2 5555 8080\r\n', 'malformed'],
  ['one port', 'PROXY TCP4 203.0.113.9 10.0.0.1 5555\r\n', 'malformed'],
  ['a port too high', 'PROXY TCP4 203.0.113.9 10.0.0.1 65536 8080\r\n', 'malformed'],
  ['a port too high at the other end', 'PROXY TCP4 203.0.113.9 10.0.0.1 1 99999\r\n', 'malformed'],
  ['two blanks', 'PROXY TCP4  203.0.113.9 10.0.0.1 5555 8080\r\n', 'malformed'],
  ['a bare LF', 'PROXY TCP4 203.0.113.9 10.0.0.1 5555 8080\n', 'malformed'],
  ['a CR within', 'PROXY UNKNOWN \r x\r\n', 'malformed'],
  ['nothing', 'PROXY \r\n', 'malformed'],

  ['v2 over IPv4', v2(0x21, 0x11, INET), named('203.0.113.9')],
  ['v2 over IPv6', v2(0x21, 0x21, INET6), named('2001:db8::9')],
  ['v2, IPv4 mapped to IPv6', v2(0x21, 0x21, MAPPED), named('203.0.113.9')],
  ['v2, Unix', v2(0x21, 0x31, UNIX), 'whole undefined'],
  ['v2, datagrams (a balancer that speaks HTTP/3)', v2(0x21, 0x12, INET), named('203.0.113.9')],
  ['v2 with more', v2(0x21, 0x11, Buffer.concat([INET, TLV])), named('203.0.113.9')],
  ['v2 as long as it may be', v2(0x21, 0x11, Buffer.concat([INET, Buffer.alloc(16_356)])), named('203.0.113.9')],
  ['v2 longer', v2(0x21, 0x11, Buffer.concat([INET, Buffer.alloc(16_357)])), 'too_long'],
  ['v2 as long as it says', v2(0x21, 0x11, INET, 0xffff), 'too_long'],
  ['v2 LOCAL', v2(0x20, 0x00, Buffer.alloc(0)), CONNECTIONS_OWN],
  ['v2 LOCAL with addresses', v2(0x20, 0x11, INET), CONNECTIONS_OWN],
  ['v2 LOCAL with nonsense', v2(0x20, 0xff, TLV), CONNECTIONS_OWN],
  ['v2 of no family', v2(0x21, 0x00, TLV), CONNECTIONS_OWN],
  ['v2 of no transport', v2(0x21, 0x10, INET), CONNECTIONS_OWN],
  ['v2 too short for its family', v2(0x21, 0x11, INET.subarray(1)), 'malformed'],
  ['v2 with a command that there is not', v2(0x22, 0x11, INET), 'malformed'],
  ['v2 with a family that there is not', v2(0x21, 0x41, INET), 'malformed'],
  ['v2 with a transport that there is not', v2(0x21, 0x13, INET), 'malformed'],
  ['version 1 in binary', v2(0x11, 0x11, INET), 'malformed'],
]

const REQUEST = Buffer.from('GET / HTTP/1.1\r\n\r\n')

function resultOf(reader: ProxyHeaderReader): string {
  return reader.namesClient && reader.state === 'whole' ? `whole ${reader.clientIp}` : reader.state
}

for (const [why, header, result] of CASES) {
  test(why, () => {
    const bytes = Buffer.from(header)
    const all = Buffer.concat([bytes, REQUEST])
    const whole = new ProxyHeaderReader()
    const end = whole.read(all, 0, all.length)
    assert.equal(resultOf(whole), result)
    if (whole.state === 'whole') assert.equal(end, bytes.length, 'the request is left alone')
    // Long ones differ in what is skipped only.
    const splits = Math.min(bytes.length, 300)
    for (let split = 0; split <= splits; split++) {
      const reader = new ProxyHeaderReader()
      const first = reader.read(all, 0, split)
      assert.equal(first, Math.min(split, end))
      assert.equal(reader.read(all, first, all.length), end)
      assert.equal(resultOf(reader), result, `split at ${split}`)
    }
    const reader = new ProxyHeaderReader()
    let at = 0
    while (at < end) {
      assert.equal(resultOf(reader), 'incomplete')
      at = reader.read(all, at, at + 1)
    }
    assert.equal(resultOf(reader), result, 'byte by byte')
  })
}

test('whatever comes, wherever it is split: the same result, within its bounds', () => {
  const octets = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
  const cases = fc.constantFrom(...CASES.map(([, header]) => Buffer.from(header)))
  const broken = fc.tuple(cases, fc.nat(), octets).map(([header, at, bytes]) => {
    const cut = at % (header.length + 1)
    return Buffer.concat([header.subarray(0, cut), bytes.subarray(0, 3), header.subarray(cut)])
  })
  fc.assert(
    fc.property(fc.oneof(octets, broken), fc.nat(), (bytes, at) => {
      const whole = new ProxyHeaderReader()
      const end = whole.read(bytes, 0, bytes.length)
      const split = at % (bytes.length + 1)
      const reader = new ProxyHeaderReader()
      const first = reader.read(bytes, 0, split)
      assert.equal(reader.read(bytes, first, bytes.length), end)
      assert.equal(resultOf(reader), resultOf(whole))
      assert.ok(end <= 16_384)
    }),
    { numRuns: 2_000 },
  )
})
