import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { listFiles } from '../../scripts/tidy/tree.ts'
import { type Block, blocksOf, readPage } from '../support/pages.ts'

// What people copy from the pages can be read by the program that it is for. (Configurations of the guide have a test of their own.)

const PAGES = listFiles(fileURLToPath(new URL('../..', import.meta.url)))
  .map((file) => file.path)
  .filter((file) => file.endsWith('.md') && !file.startsWith('test/'))

const blocks = (language: string): Block[] => PAGES.flatMap((page) => blocksOf(page, language))

for (const { page, line, text } of blocks('json'))
  test(`${page}:${line} is JSON`, () => {
    // One document, or one a line.
    try {
      JSON.parse(text)
    } catch {
      for (const each of text.trim().split('\n')) JSON.parse(each)
    }
  })

for (const { page, line, text } of blocks('yaml'))
  test(`${page}:${line} is YAML`, () => {
    // A key written in several ways is one block, a line each.
    for (const { errors } of parseAllDocuments(text, { merge: true }))
      assert.deepEqual(
        errors.filter(({ code }) => code !== 'DUPLICATE_KEY'),
        [],
      )
  })

for (const { page, line, text } of blocks('sh'))
  test(`${page}:${line} is shell`, () => {
    // An ellipsis stands for something that is left out.
    const { status, stderr } = spawnSync('bash', ['-n'], { input: text.replaceAll('…', 'x'), encoding: 'utf8' })
    assert.equal(status, 0, stderr)
  })

/** Commands that begin a line of shell on the pages. */
const COMMAND =
  /^(?:\$ )?(?:curl|docker|kubectl|helm|npm|npx|fluxgate|bin\/fluxgate|systemctl|openssl|pip|apt-get|export|kill) /m

/** Every block with its language, in order: so that the end of one is not taken for the beginning of the next. */
function unnamedShell(page: string, text: string): string[] {
  return [...text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^ *```$/gm)]
    .filter(([, , language, content]) => language === '' && COMMAND.test(content!))
    .map(({ index }) => `${page}:${text.slice(0, index).split('\n').length}`)
}

test('a block of shell says that it is one', () => {
  assert.deepEqual(
    PAGES.flatMap((page) => unnamedShell(page, readPage(page))),
    [],
  )
  assert.deepEqual(unnamedShell('a', 'x\n```sh\ncurl a\n```\n\n```\ncurl b\n```\n'), ['a:6'])
})

test('what is no JSON, no YAML and no shell is seen', () => {
  assert.throws(() => JSON.parse('{a}'))
  assert.ok(parseAllDocuments('a: [')[0]!.errors.length > 0)
  assert.notEqual(spawnSync('bash', ['-n'], { input: 'if true' }).status, 0)
  assert.match('curl http://127.0.0.1', COMMAND)
})
