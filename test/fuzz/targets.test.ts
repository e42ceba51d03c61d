import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { drive, type Report } from './drive.ts'
import { foundTargets, knownToBreak, readFound } from './found.ts'
import type { Target, TextTarget } from './target.ts'
import { TARGETS } from './targets.ts'

/** These take longer than they are worth here, or have a test of their own. */
const ELSEWHERE = new Set([
  'whole-gateway',
  'uploads',
  'downloads',
  'repeated-heads',
  'sockets',
  'fidelity',
  'smuggling',
])
const INPUTS = 500

function driveShortly(target: Target, inputs: number): Promise<Report> {
  return drive(target, { seed: 1, known: knownToBreak(target.name), goesOn: (so) => so < inputs })
}

for (const target of TARGETS) {
  describe(`${target.name}: ${target.about}`, () => {
    after(() => target.close?.())

    if (!ELSEWHERE.has(target.name)) {
      test('for the corpus, and a little beyond', async () => {
        const { failures } = await driveShortly(target, INPUTS)
        assert.deepEqual(failures, [])
      })
    }

    for (const { name, why, input, notYet } of readFound(target.name))
      test(`for what was found: ${name}, ${why}`, { todo: notYet ?? false }, async () => {
        await target.check(input as string)
      })
  })
}

test('what was found belongs to a target', () => {
  const names = TARGETS.map(({ name }) => name)
  assert.deepEqual(
    foundTargets().filter((name) => !names.includes(name)),
    [],
  )
})

describe('a run', () => {
  const broken: TextTarget = {
    name: 'broken',
    about: 'breaks on purpose',
    corpus: () => ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'b'],
    spice: ['\0'],
    check(text) {
      assert.ok(!/H.*\0/s.test(text), 'a NUL after an H')
      return String(text.length > 40)
    },
  }

  test('finds what breaks a promise, and the smallest of it', async () => {
    const { failures } = await driveShortly(broken, 2_000)
    assert.deepEqual(failures, [{ input: 'H\0', message: 'a NUL after an H' }])
  })

  test('is the same again with the same seed', async () => {
    const seen: string[][] = [[], []]
    for (const inputs of seen)
      await drive(
        { ...broken, check: (text: string) => String(inputs.push(text) % 100) },
        { seed: 7, goesOn: (so) => so < 1_000 },
      )
    assert.deepEqual(seen[0], seen[1])
    assert.ok(new Set(seen[0]).size > 500, 'its inputs differ')
  })

  test('keeps what has an outcome of its own', async () => {
    const { novelties } = await driveShortly({ ...broken, check: (text: string) => String(text.length > 40) }, 2_000)
    assert.deepEqual(
      novelties.map(({ outcome }) => outcome),
      ['true'],
    )
  })
})
