import assert from 'node:assert/strict'
import { BlockList, isIP, SocketAddress } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatAddress, includesPeer, type PeerSet, parseAddress, parseRange } from '../../../src/http/address.ts'

const plain = (text: string): string | undefined => {
  const address = parseAddress(text)
  return address === undefined ? undefined : formatAddress(address)
}

test('each address has one spelling', () => {
  for (const [text, spelling] of [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:c000:207', '192.0.2.7'],
    ['2001:DB8::0001', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ] as const) {
    assert.equal(plain(text), spelling, text)
  }
})

test('what is no address', () => {
  for (const text of [
    ...['', ' ', '1.2.3', '1.2.3.4 ', '01.2.3.4', '1.2.3.256', '0x7f.0.0.1', '1.2.3.4:80', '[::1]', ':::', '1::2::3'],
    ...['fe80::1%eth0', 'unknown', '_hidden', '::1/128', `${'0'.repeat(100)}::1`, '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9'],
  ]) {
    assert.equal(plain(text), undefined, text)
  }
})

test('any address is spelt as the system spells it, but for IPv4 in disguise', () => {
  const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  fc.assert(
    fc.property(groups, (address) => {
      const text = formatAddress(address)
      assert.ok(isIP(text) > 0 && text.length <= 39)
      assert.deepEqual(parseAddress(text), address)
      const isMixed = address.slice(0, 6).every((group) => group === 0) || address.slice(0, 5).every((g) => g === 0)
      if (isMixed) return
      const long = address.map((group) => group.toString(16).padStart(4, '0')).join(':')
      assert.equal(text, new SocketAddress({ address: long, family: 'ipv6' }).address)
    }),
  )
})

function peers(...ranges: string[]): PeerSet {
  return {
    ranges: ranges.map((text) => {
      const range = parseRange(text)
      assert.ok(!('wrong' in range), text)
      return range
    }),
    hasUnix: false,
  }
}

test('who is in a range', () => {
  for (const [range, inside, outside] of [
    ['10.0.0.0/8', '10.255.0.1', '11.0.0.0'],
    ['10.0.0.0/8', '::ffff:10.0.0.1', '::10.0.0.1'],
    ['192.0.2.7', '192.0.2.7', '192.0.2.6'],
    ['192.0.2.4/31', '192.0.2.5', '192.0.2.6'],
    ['0.0.0.0/0', '203.0.113.9', '::1'],
    ['::/0', '2001:db8::1', '203.0.113.9'],
    ['::ffff:10.0.0.0/104', '10.1.2.3', '11.0.0.0'],
    ['2001:db8::/33', '2001:db8:7fff::1', '2001:db8:8000::'],
    ['fe80::/10', 'fe80::1%eth0', 'fec0::1'],
    ['::1', '::1', '::2'],
  ] as const) {
    assert.equal(includesPeer(peers(range), inside), true, `${inside} in ${range}`)
    assert.equal(includesPeer(peers(range), outside), false, `${outside} not in ${range}`)
  }
})

test('ranges are what the system takes them for', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (base, address, length) => {
      const list = new BlockList()
      list.addSubnet(base, length, 'ipv4')
      const masked = parseRange(`${base}/${length}`)
      const range = 'wrong' in masked ? / (\S+)$/.exec(masked.wrong)![1]! : `${base}/${length}`
      assert.equal(includesPeer(peers(range), address), list.check(address, 'ipv4'))
      assert.equal(includesPeer(peers(range), base), true)
    }),
  )
})

test('the other end of a Unix socket has no address', () => {
  assert.equal(includesPeer({ ranges: [], hasUnix: true }, undefined), true)
  assert.equal(includesPeer({ ranges: [], hasUnix: true }, '127.0.0.1'), false)
  assert.equal(includesPeer(peers('0.0.0.0/0', '::/0'), undefined), false)
})

test('what is no range, and what would be', () => {
  const wrong = (text: string): string => (parseRange(text) as { wrong: string }).wrong
  for (const text of [
    '',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/08',
    '10/8',
    'balancer',
    '/8',
    '10.0.0.0/-1',
    '::/129x',
  ])
    assert.match(wrong(text), /^must be an address or a range/, text)
  assert.equal(wrong('10.0.0.0/33'), 'must have a length of 32 at most after the /')
  assert.equal(wrong('::/129'), 'must have a length of 128 at most after the /')
  assert.equal(wrong('10.0.0.1/8'), 'has bits behind its prefix; the range is 10.0.0.0/8')
  assert.equal(wrong('2001:db8::1/32'), 'has bits behind its prefix; the range is 2001:db8::/32')
})
