import assert from 'node:assert/strict'
import { existsSync, globSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readPage } from '../support/pages.ts'

// A link from one page to another leads to a file that is there, and to a heading that it has.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGES = [...globSync('*.md', { cwd: ROOT }), ...globSync('docs/**/*.md', { cwd: ROOT })].sort()

/** What stands in code is no link and no heading. */
const withoutCode = (text: string): string => text.replaceAll(/^( *)```[\s\S]*?^ *```$/gm, '')

/** The names that GitHub gives to the headings of a page. */
function anchorsOf(page: string): Set<string> {
  const seen = new Map<string, number>()
  return new Set(
    [...withoutCode(readPage(page)).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => {
      const name = heading!
        .toLowerCase()
        .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-')
      const before = seen.get(name) ?? 0
      seen.set(name, before + 1)
      return before === 0 ? name : `${name}-${before}`
    }),
  )
}

function brokenLinks(page: string, text: string): string[] {
  const broken: string[] = []
  for (const [, link] of withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(link!)) continue
    const [file, anchor] = link!.split('#') as [string, string?]
    const target = file === '' ? page : path.posix.join(path.posix.dirname(page), file)
    if (!existsSync(path.join(ROOT, target))) broken.push(link!)
    else if (anchor !== undefined && target.endsWith('.md') && !anchorsOf(target).has(anchor)) broken.push(link!)
  }
  return broken
}

for (const page of PAGES) test(`the links of ${page}`, () => assert.deepEqual(brokenLinks(page, readPage(page)), []))

test('a file or a heading that is not there is seen', () => {
  const text = '[a](docs/guide/none.md) [b](#none) [c](docs/guide/clients.md#none) [d](docs/guide/clients.md#codex)'
  assert.deepEqual(brokenLinks('README.md', text), ['docs/guide/none.md', '#none', 'docs/guide/clients.md#none'])
})
