import assert from 'node:assert/strict'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { placeOf, readGroups, readPages } from '../../scripts/docs/pages.ts'
import { buildSite } from '../../scripts/docs.ts'

// `npm run docs` makes a site of which every link leads somewhere, and every page is found from the index.

const scratch = mkdtempSync(path.join(tmpdir(), 'site-'))
const SITE = path.join(scratch, 'site')
after(() => rmSync(scratch, { recursive: true }))

let broken: string[] = []
before(async () => {
  broken = await buildSite(SITE)
})

const asText = (text: string): string =>
  text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

/** What a page leads to that is not there. */
function deadEnds(page: string): string[] {
  const html = readFileSync(path.join(SITE, page), 'utf8')
  return [...html.matchAll(/<(?:a|link|img|script)\b[^>]*\b(?:href|src)="([^"]*)"/g)].flatMap(([, value]) => {
    const link = decodeURI(asText(value!))
    if (/^[a-z]+:/.test(link)) return []
    const [file, anchor] = link.split('#') as [string, string?]
    const target = file === '' ? page : path.join(path.dirname(page), file)
    const full = path.join(SITE, target)
    if (!existsSync(full) || !statSync(full).isFile()) return [link]
    const hasAnchor = anchor === undefined || readFileSync(full, 'utf8').includes(`id="${anchor}"`)
    return hasAnchor ? [] : [link]
  })
}

test('every page of the repository is on the site, and every link leads somewhere', () => {
  assert.deepEqual(broken, [])
  const pages = globSync('**/*.html', { cwd: SITE })
  for (const { file } of readPages()) assert.ok(pages.includes(placeOf(file)), file)
  for (const page of pages) assert.deepEqual(deadEnds(page), [], page)
})

test('the index names every page but the single decisions and tests', () => {
  const pages = readPages()
  const named = new Set(readGroups(pages).flatMap(({ files }) => files))
  const missing = pages
    .map(({ file }) => file)
    .filter((file) => !named.has(file) && !/^(?:docs\/decisions\/\d|docs\/README|test\/)/.test(file))
  assert.deepEqual(missing, [])
})

test('tables, code and braces are what they were', () => {
  const html = readFileSync(path.join(SITE, 'docs/guide/logging.html'), 'utf8')
  assert.match(html, /<h2 id="events-and-alerts">Events and alerts<\/h2>/)
  assert.match(html, /<table>/)
  assert.match(
    readFileSync(path.join(SITE, 'docs/reference/log.html'), 'utf8'),
    /<code>Starting proxy server on \{\}<\/code>/,
  )
})

test('what is searched is a script with every heading', () => {
  const script = readFileSync(path.join(SITE, 'search.js'), 'utf8')
  const headings = JSON.parse(script.replace('var HEADINGS = ', '')) as string[][]
  assert.ok(headings.some(([place, anchor]) => place === 'docs/guide/tls.html' && anchor !== ''))
  assert.ok(headings.length > 300)
})
