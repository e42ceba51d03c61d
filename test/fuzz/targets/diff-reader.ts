import assert from 'node:assert/strict'
import { readPieces } from '../../unit/tools/diff/wire.ts'
import { requestTexts, responseTexts } from '../corpus.ts'
import { cut, request, response } from '../messages.ts'
import { placesIn } from '../random.ts'
import { findRequests, STRICT } from '../reference-reader.ts'
import type { TextTarget } from '../target.ts'
import { SPICE } from './smuggling.ts'

/** A chunk size of more digits than anybody needs is its own matter. */
const ENDLESS_SIZE = /\r\n[0-9a-f]{13,}/i

export const diffReader: TextTarget = {
  name: 'diff-reader',
  about: 'the reader of `fluxgate diff` loses no byte, and agrees with a strict reader',
  corpus: () => [...requestTexts(), ...responseTexts()],
  spice: SPICE,
  values: (scale) => (scale % 2 === 0 ? request : response).map(({ bytes }) => bytes),
  check(text) {
    const method = text.startsWith('HTTP/') ? 'GET' : undefined
    const message = readPieces([text], method)
    for (const pieces of [cut(text, placesIn(text)), ...(text.length < 500 ? [[...text]] : [])])
      assert.deepEqual(readPieces(pieces, method), message, 'another message when it comes in pieces')
    assert.equal(Buffer.concat([message.raw, message.surplus]).toString('latin1'), text, 'bytes are lost')
    if (method === undefined) {
      const [end] = findRequests(text, STRICT).ends
      if (end !== undefined && !ENDLESS_SIZE.test(text)) {
        assert.equal(message.end, 'whole', `it is whole to a strict reader, not ${message.end} (${message.fault})`)
        assert.equal(message.raw.length, end, 'it ends elsewhere')
      }
    }
    return [method ?? 'request', message.framing, message.end, message.fault, message.interim.length > 0].join(' ')
  },
}
