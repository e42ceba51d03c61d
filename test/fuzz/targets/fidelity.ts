import assert from 'node:assert/strict'
import fc from 'fast-check'
import { pass } from '../../wire/passage.ts'
import { cut, places, requestsUpTo, response, type Sample } from '../messages.ts'
import type { ValueTarget } from '../target.ts'

export interface Cut {
  readonly sample: Sample
  readonly at: readonly number[]
  /** The method that is answered; absent: these are requests. */
  readonly answers?: string
}

/** What cannot be told apart from the outside is not compared byte by byte in a message that nobody can read. */
export function arrives(sample: Sample, pieces: readonly string[], answers?: string): void {
  const passage = pass(pieces, answers)
  assert.deepEqual(
    passage.log.filter((event) => /^(?:refused|broken|ends|surplus) /.test(event)),
    [],
  )
  assert.equal(passage.passed, sample.passed)
}

export const fidelity: ValueTarget<Cut> = {
  name: 'fidelity',
  about: 'well-formed messages arrive byte for byte, wherever they are cut',
  values: (scale) =>
    fc.oneof(
      fc.record({ sample: requestsUpTo(2 + 2 * scale), at: places }),
      fc.record({ sample: response, at: places, answers: fc.constant('GET') }),
    ),
  check({ sample, at, answers }) {
    arrives(sample, cut(sample.bytes, at), answers)
    return answers === undefined ? 'request' : 'response'
  },
}
