import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Unchunker } from '../../../src/http/unchunker.ts'

/** The content of these pieces of a body, and whether that was all. A piece that begins with `text:` comes as text. */
function contentOf(unchunker: Unchunker, pieces: readonly string[]): string {
  let content = ''
  for (const piece of pieces) {
    if (piece.startsWith('text:')) {
      unchunker.text(piece.slice('text:'.length))
      continue
    }
    const buffer = Buffer.from(piece, 'latin1')
    for (let at = 0; at < buffer.length; ) {
      at = unchunker.next(buffer, at, buffer.length)
      content += buffer.toString('latin1', unchunker.pieceStart, unchunker.pieceEnd)
    }
  }
  return content
}

test('chunks are taken off, wherever they are cut', () => {
  const body = '5\r\nhello\r\n00A\r\n world\r\n\r\n\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n'
  for (let cut = 0; cut <= body.length; cut++) {
    const unchunker = new Unchunker()
    assert.equal(contentOf(unchunker, [body.slice(0, cut), body.slice(cut)]), 'hello world\r\n\r\n')
    assert.equal(unchunker.isDone, true)
    assert.equal(unchunker.trailers, 'X-A: 1\r\nX-B: 2\r\n')
  }
})

test('framing may come as text', () => {
  const unchunker = new Unchunker()
  assert.equal(contentOf(unchunker, ['text:5\r\n', 'hello\r\n', 'text:0\r\nX-A: 1\r\n\r\n']), 'hello')
  assert.equal(unchunker.isDone, true)
  assert.equal(unchunker.trailers, 'X-A: 1\r\n')
})

test('whatever is chunked comes out', () => {
  const text = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(fc.array(text), fc.array(fc.nat(400)), (chunks, cuts) => {
      const body = `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`
      const at = [0, ...cuts.map((cut) => cut % body.length).toSorted((a, b) => a - b), body.length]
      const pieces = at.slice(1).map((end, i) => body.slice(at[i], end))
      const unchunker = new Unchunker()
      assert.equal(contentOf(unchunker, pieces), chunks.join(''))
      assert.equal(unchunker.isDone, true)
    }),
  )
})
