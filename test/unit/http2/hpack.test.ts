import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { HpackDecoder } from '../../../src/http2/hpack-decoder.ts'
import { HpackEncoder } from '../../../src/http2/hpack-encoder.ts'
import { STATIC_INDEX, STATIC_LENGTH, STATIC_NAMES } from '../../../src/http2/static-table.ts'

const MAX_LIST_BYTES = 65_536

function decodeWith(decoder: HpackDecoder, hex: string): [string, string][] | undefined {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
  if (!decoder.decode(bytes, 0, bytes.length)) return undefined
  const { names, values, count } = decoder.list
  return Array.from({ length: count }, (_, i) => [names[i]!, values[i]!])
}

/** RFC 7541 appendix C: blocks that follow each other on one connection, and what they say. */
const APPENDIX_C: Readonly<Record<string, readonly (readonly [string, readonly (readonly [string, string])[]])[]>> = {
  'C.2.1 a literal that is indexed': [
    ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', [['custom-key', 'custom-header']]],
  ],
  'C.2.2 one that is not': [['040c 2f73 616d 706c 652f 7061 7468', [[':path', '/sample/path']]]],
  'C.2.3 one that must never be': [['1008 7061 7373 776f 7264 0673 6563 7265 74', [['password', 'secret']]]],
  'C.2.4 an index': [['82', [[':method', 'GET']]]],
  'C.3 requests': [
    [
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'www.example.com'],
      ],
    ],
    [
      '8286 84be 5808 6e6f 2d63 6163 6865',
      [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'www.example.com'],
        ['cache-control', 'no-cache'],
      ],
    ],
    [
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      [
        [':method', 'GET'],
        [':scheme', 'https'],
        [':path', '/index.html'],
        [':authority', 'www.example.com'],
        ['custom-key', 'custom-value'],
      ],
    ],
  ],
  'C.4 requests with Huffman codes': [
    [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'www.example.com'],
      ],
    ],
    [
      '8286 84be 5886 a8eb 1064 9cbf',
      [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'www.example.com'],
        ['cache-control', 'no-cache'],
      ],
    ],
    [
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      [
        [':method', 'GET'],
        [':scheme', 'https'],
        [':path', '/index.html'],
        [':authority', 'www.example.com'],
        ['custom-key', 'custom-value'],
      ],
    ],
  ],
}

describe('the examples of RFC 7541', () => {
  for (const [name, blocks] of Object.entries(APPENDIX_C)) {
    test(name, () => {
      const decoder = new HpackDecoder(MAX_LIST_BYTES)
      for (const [hex, fields] of blocks) assert.deepEqual(decodeWith(decoder, hex), fields)
    })
  }

  // In the example the table has 256 octets only: a change of its size comes first.
  test('C.6 responses, in a table from which entries go', () => {
    const decoder = new HpackDecoder(MAX_LIST_BYTES)
    const [privately, location] = [
      ['cache-control', 'private'],
      ['location', 'https://www.example.com'],
    ]
    assert.deepEqual(
      decodeWith(
        decoder,
        '3fe1 01 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
      ),
      [[':status', '302'], privately, ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'], location],
    )
    assert.deepEqual(decodeWith(decoder, '4883 640e ffc1 c0bf'), [
      [':status', '307'],
      privately,
      ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
      location,
    ])
    assert.deepEqual(
      decodeWith(
        decoder,
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      ),
      [
        [':status', '200'],
        privately,
        ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
        location,
        ['content-encoding', 'gzip'],
        ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
      ],
    )
  })
})

describe('what cannot be decoded', () => {
  const BROKEN: Readonly<Record<string, string>> = {
    'index 0': '80',
    'an index beyond the static table': 'be',
    'a name beyond it': '7f00 0161',
    'a number that is cut off': 'ff',
    'a number that never ends': 'ffff ffff ffff ffff ff7f',
    'a name that is cut off': '0005 61',
    'a value that is missing': '0001 61',
    'a value longer than the block': '0001 617f ffff ff0f',
    'a Huffman code with the end of a string in it': '0001 6185 ffff ffff ff',
    'padding of a whole octet': '0001 6182 1fff',
    'padding with a nought in it': '0001 6181 18',
    'a size behind a field': '8220',
    'a size above the limit': '3fe2 1f',
    'one change of the size after the other': '2020 2020 20',
  }
  for (const [name, hex] of Object.entries(BROKEN)) {
    test(name, () => assert.equal(decodeWith(new HpackDecoder(MAX_LIST_BYTES), hex), undefined))
  }
})

test('a list that is too large is read and not kept, and the table goes on', () => {
  const decoder = new HpackDecoder(1_000)
  // An entry of 600 octets, and a hundred references to it.
  const value = 'v'.repeat(500)
  const insert = `4001 78 7ff502 ${Buffer.from(value).toString('hex')}`
  decodeWith(decoder, `${insert} ${'be'.repeat(100)}`)
  assert.equal(decoder.list.isTooLarge, true)
  assert.ok(decoder.list.count <= 1)
  assert.ok(decoder.list.bytes > 50_000)
  decodeWith(decoder, 'be')
  assert.equal(decoder.list.isTooLarge, false)
  assert.equal(decoder.list.names[0], 'x')
})

test('whatever is encoded is decoded', () => {
  const latin1 = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((octet) => String.fromCharCode(octet)),
    maxLength: 300,
  })
  const name = fc.oneof(latin1, fc.constantFrom(...STATIC_NAMES.slice(1)))
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, latin1), { maxLength: 20 }),
      fc.integer({ min: 100, max: 599 }),
      (fields, status) => {
        const encoder = new HpackEncoder()
        encoder.begin()
        encoder.status(status)
        encoder.pseudo(':method', 'GET')
        for (const [given, value] of fields) encoder.field(given, value)
        const decoder = new HpackDecoder(Number.POSITIVE_INFINITY)
        assert.deepEqual(decodeWith(decoder, encoder.block.toString('hex')), [
          [':status', `${status}`],
          [':method', 'GET'],
          ...fields,
        ])
        assert.equal(decoder.changes, 0)
      },
    ),
  )
})

test('no octets make it throw', () => {
  const decoder = new HpackDecoder(MAX_LIST_BYTES)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      decoder.decode(Buffer.from(octets), 0, octets.length)
    }),
    { numRuns: 2_000 },
  )
})

test('the static table has 61 entries, and each name is found', () => {
  assert.equal(STATIC_LENGTH, 61)
  assert.equal(STATIC_NAMES[61], 'www-authenticate')
  assert.equal(STATIC_INDEX.get(':status'), 8)
  assert.equal(STATIC_INDEX.get('content-type'), 31)
})
