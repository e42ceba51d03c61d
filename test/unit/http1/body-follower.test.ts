import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Framing } from '../../../src/http/message.ts'
import { BodyFollower } from '../../../src/http1/body-follower.ts'

// What bodies may look like stands in test/wire; here is how the follower tells.

function started(framing: Framing, contentLength = 0): BodyFollower {
  const body = new BodyFollower()
  body.start(framing, contentLength)
  return body
}

/** Follows what is read at once; returns where it stopped and what goes on. */
function follow(body: BodyFollower, read: string): [at: number, before: string, run: string] {
  const buffer = Buffer.from(`..${read}..`, 'latin1')
  const at = body.follow(buffer, 2, 2 + read.length)
  assert.equal(buffer.toString('latin1', 2 + read.length), '..', 'nothing beyond the read is touched')
  return [at - 2, body.before, buffer.toString('latin1', 2, body.runEnd)]
}

describe('the body follower', () => {
  test('is done at once where there is no body', () => {
    const body = started('none')
    assert.equal(body.isDone, true)
    assert.equal(body.remaining, 0)
  })

  test('counts a length down and leaves what is behind it', () => {
    const body = started('length', 5)
    assert.equal(body.remaining, 5)
    assert.deepEqual(follow(body, 'he'), [2, '', 'he'])
    assert.equal(body.remaining, 3)
    assert.deepEqual(follow(body, 'lloNEXT'), [3, '', 'llo'])
    assert.equal(body.isDone, true)
    assert.equal(body.remaining, 0)
  })

  test('knows not how much of a chunked or endless body is to come', () => {
    assert.equal(started('chunked').remaining, undefined)
    assert.equal(started('until-close').remaining, undefined)
  })

  test('ends an endless body with its connection, and no other', () => {
    const endless = started('until-close')
    assert.deepEqual(follow(endless, '0\r\n\r\n'), [5, '', '0\r\n\r\n'])
    assert.equal(endless.isDone, false)
    assert.equal(endless.end(), true)
    assert.equal(endless.isDone, true)
    for (const framing of ['length', 'chunked'] as const) assert.equal(started(framing, 1).end(), false)
  })

  test('closes the gaps in place, so that one run goes on', () => {
    const body = started('chunked')
    assert.deepEqual(follow(body, '3;a=b\r\nabc\r\n2;c\r\nde\r\n0;d\r\nHost: x\r\nE: 1\r\n\r\nNEXT'), [
      43,
      '',
      '3\r\nabc\r\n2\r\nde\r\n0\r\nE: 1\r\n\r\n',
    ])
    assert.equal(body.isDone, true)
  })

  test('holds a trailer back until it is known what it is, and says then what goes first', () => {
    const body = started('chunked')
    assert.deepEqual(follow(body, '0\r\nE: 1\r\nHo'), [11, '', '0\r\nE: 1\r\n'])
    assert.deepEqual(follow(body, 's'), [1, '', ''])
    assert.deepEqual(follow(body, 't: x\r\nF'), [7, '', ''])
    assert.deepEqual(follow(body, ': 2\r\nG: 3\r\nHost: y\r\n\r'), [21, 'F: 2\r\n', 'G: 3\r\n'])
    assert.deepEqual(follow(body, '\nNEXT'), [1, '\r\n', ''])
    assert.equal(body.isDone, true)
  })

  test('passes nothing from where the rules are broken', () => {
    const body = started('chunked')
    assert.deepEqual(follow(body, '1;e\r\nx\r\nZ\r\n').slice(1), ['', '1\r\nx\r\n'])
    assert.equal(body.isFailed, true)
    assert.equal(body.isDone, false)
  })

  test('has forgotten everything when it starts again', () => {
    const body = started('chunked')
    follow(body, `${'1;aaaa\r\nx\r\n'.repeat(2_500)}0\r\nHalf: 1`)
    for (const framing of ['chunked', 'length', 'chunked'] as const) {
      body.start(framing, 1)
      assert.equal(body.isFailed || body.isDone, false)
      const read = framing === 'length' ? 'x' : `${'1;aaaa\r\nx\r\n'.repeat(2_500)}0\r\n${'A: x\r\n'.repeat(2_500)}\r\n`
      assert.equal(follow(body, read)[0], read.length)
      assert.equal(body.isDone, true)
    }
    body.start('chunked', 0)
    follow(body, 'Z')
    body.start('chunked', 0)
    assert.deepEqual(follow(body, '0\r\n\r\n'), [5, '', '0\r\n\r\n'])
  })
})
