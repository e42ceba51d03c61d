import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fromNotation } from './notation.ts'
import { type Case, readPage } from './page.ts'
import { LEFT_OVERS, pass } from './passage.ts'

/** Up to this length a case is split at every byte; beyond it near its ends, near round numbers and at a stride. */
const EVERY_BYTE = 4_096
const STRIDE = 997

function splits(length: number): number[] {
  const all = Array.from({ length: Math.max(0, length - 1) }, (_, i) => i + 1)
  if (length <= EVERY_BYTE) return all
  return all.filter((at) => at < 64 || length - at < 64 || at % STRIDE === 0 || (at + 4) % 4_096 < 8)
}

function check(expected: Case, pieces: readonly string[], how: string): void {
  for (const behind of LEFT_OVERS) {
    const passage = pass(pieces, expected.answers, behind)
    assert.deepEqual(passage.log, expected.log, how)
    if (expected.passed !== undefined) assert.equal(passage.passed, expected.passed, how)
    else assert.ok(expected.bytes.startsWith(passage.passed), `${how}: passed on ${JSON.stringify(passage.passed)}`)
  }
}

for (const page of globSync('*.md', { cwd: import.meta.dirname }).sort()) {
  if (page === 'README.md') continue
  describe(page, () => {
    for (const each of readPage(readFileSync(`${import.meta.dirname}/${page}`, 'latin1'))) {
      test(each.title, { todo: each.notYet ?? false }, () => {
        const { bytes } = each
        check(each, [bytes], 'whole')
        for (const at of splits(bytes.length)) check(each, [bytes.slice(0, at), bytes.slice(at)], `split at ${at}`)
        check(each, [...bytes], 'byte by byte')
      })
    }
  })
}

describe('the notation', () => {
  for (const [written, bytes] of [
    ['a\\r\\n\nb', 'a\r\nb'],
    ['\\\\r', '\\r'],
    ['\\x00\\xff', '\0\xff'],
    ['\\(ab*3)', 'ababab'],
    ['\\(\\r\\n*2)(*)', '\r\n\r\n(*)'],
  ] as const) {
    test(written, () => assert.equal(fromNotation(written), bytes))
  }
  for (const wrong of ['\\y', '\\x0', '\\', '\\(a)'])
    test(`${wrong} is an error`, () => assert.throws(() => fromNotation(wrong)))
})

describe('a page that is not understood is an error', () => {
  const request = '```request\nGET\n```\n'
  const log = '```log\nend\n```\n'
  for (const [what, page] of [
    ['no log', `## t\n${request}`],
    ['no bytes', `## t\n${log}`],
    ['two logs', `## t\n${request}${log}${log}`],
    ['another block', `## t\n${request}${log}\`\`\`logs\n\`\`\`\n`],
    ['a block that does not end', `## t\n${request}${log}\`\`\`passed\n`],
    ['a response to nothing', `## t\n\`\`\`response\n\`\`\`\n${log}`],
  ] as const) {
    test(what, () => assert.throws(() => readPage(page)))
  }
})
