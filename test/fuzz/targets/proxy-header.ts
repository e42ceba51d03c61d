import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { ProxyHeaderReader } from '../../../src/listener/proxy-header.ts'
import { placesIn } from '../random.ts'
import type { TextTarget } from '../target.ts'

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n'
const V1 = ['TCP4 203.0.113.9 10.0.0.1 5555 8080', 'TCP6 2001:db8::9 ::ffff:10.0.0.1 5555 80', 'UNKNOWN', 'UNKNOWN a b']
const V2 = [
  '\x20\0\0\0',
  '\x21\x11\0\x0c\xcb\0\x71\x09\x0a\0\0\x01\x15\xb3\x1f\x90',
  '\x21\x11\0\x10\xcb\0\x71\x09\x0a\0\0\x01\x15\xb3\x1f\x90\x04\0\x01\x07',
  `\x21\x21\0\x24\x20\x01\x0d\xb8${'\0'.repeat(32)}`,
  `\x21\x31\0\xd8${'/run/a.sock'.padEnd(216, '\0')}`,
]

/** A second reading of the same pages, on whole headers only. */
function expected(text: string): string | undefined {
  const v1 = /^PROXY (?:UNKNOWN(?: [^\r\n]*)?|TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5}))\r\n/.exec(text)
  if (v1 !== null) {
    const [line, version, source = '', destination = '', ...ports] = v1
    if (line.length > 107 || ports.some((port) => Number(port) > 65_535)) return undefined
    if (version === undefined) return 'own'
    const isRight = [source, destination].every((each) => `${isIP(each)}` === version && !each.includes('%'))
    return isRight ? 'named' : undefined
  }
  const head = text.slice(SIGNATURE.length)
  if (!text.startsWith(SIGNATURE) || head.length < 4) return undefined
  const length = head.charCodeAt(2) * 256 + head.charCodeAt(3)
  const [command, family] = [head.charCodeAt(0), head.charCodeAt(1)]
  if (head.length < 4 + length || length > 16_384 - 16) return undefined
  if (command === 0x20) return 'own'
  if (command !== 0x21 || family >> 4 > 3 || (family & 0xf) > 2) return undefined
  if (family >> 4 === 0 || (family & 0xf) === 0) return 'own'
  return length >= [0, 12, 36, 216][family >> 4]! ? 'named' : undefined
}

function readIn(bytes: Buffer, places: readonly number[]): { reader: ProxyHeaderReader; end: number } {
  const reader = new ProxyHeaderReader()
  let end = 0
  for (const place of [...places, bytes.length]) if (end < place) end = reader.read(bytes, end, place)
  return { reader, end }
}

export const proxyHeader: TextTarget = {
  name: 'proxy-header',
  about: 'a PROXY header is understood as its specification says, in pieces too',
  corpus: () => [...V1.map((line) => `PROXY ${line}\r\nGET /`), ...V2.map((rest) => `${SIGNATURE}${rest}GET /`)],
  spice: ['PROXY ', '\r\n', SIGNATURE, ' ', '\0', '\xff', '%', ':', '65536', '.1', 'TCP4', '\x21', '\x11'],
  check(text) {
    const bytes = Buffer.from(text, 'latin1')
    const { reader, end } = readIn(bytes, [])
    const pieces = readIn(
      bytes,
      placesIn(text).sort((a, b) => a - b),
    )
    assert.equal(pieces.reader.state, reader.state)
    assert.equal(pieces.reader.clientIp, reader.clientIp)
    assert.equal(pieces.end, end)
    const wanted = expected(bytes.toString('latin1'))
    assert.equal(reader.state === 'whole' ? (reader.namesClient ? 'named' : 'own') : undefined, wanted)
    if (reader.clientIp !== undefined) assert.ok(isIP(reader.clientIp) > 0)
    return reader.state
  },
}
