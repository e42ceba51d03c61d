import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { headingsOf, withoutCode } from '../../scripts/docs/headings.ts'
import { listFiles } from '../../scripts/tidy/tree.ts'
import { readPage } from '../support/pages.ts'

// A link from one page to another leads to a file that is there, and to a heading that it has.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGES = listFiles(ROOT)
  .map((file) => file.path)
  .filter((file) => file.endsWith('.md'))

const anchorsOf = (page: string): Set<string> => new Set(headingsOf(readPage(page)).map(({ anchor }) => anchor))

function brokenLinks(page: string, text: string): string[] {
  const broken: string[] = []
  for (const [, link] of withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(link!)) continue
    const [file, anchor] = link!.split('#') as [string, string?]
    const target = file === '' ? page : path.posix.join(path.posix.dirname(page), file)
    if (!existsSync(path.join(ROOT, target))) broken.push(link!)
    else if (anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).has(anchor)) broken.push(link!)
  }
  // [text][name] needs its line [name]: URL.
  const named = new Set([...text.matchAll(/^\[([^\]]+)\]: /gm)].map(([, name]) => name!))
  for (const [, name] of withoutCode(text).matchAll(/\]\[([^\]]+)\]/g)) if (!named.has(name!)) broken.push(`[${name}]`)
  return broken
}

for (const page of PAGES) test(`the links of ${page}`, () => assert.deepEqual(brokenLinks(page, readPage(page)), []))

test('a file or a heading that is not there is seen', () => {
  const text =
    '[a](docs/guide/none.md) [b](#none) [c](docs/guide/clients.md#none) [d](docs/guide/clients.md#codex) [e][none]'
  assert.deepEqual(brokenLinks('README.md', text), [
    'docs/guide/none.md',
    '#none',
    'docs/guide/clients.md#none',
    '[none]',
  ])
})
