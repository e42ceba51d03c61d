/**
 * `npm run docs`: the Markdown pages of the repository as a static site in site/ (or the folder that is given). Every page keeps its
 * place, so that a link means the same here and there. It asks nothing of a server, and nothing of the network.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import Eleventy from '@11ty/eleventy'
import { teach } from './docs/markdown.ts'
import { isFolder, placeOf, readGroups, readPages, relativeLink } from './docs/pages.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const LAYOUT = 'scripts/docs'

/** A page for a folder that a page leads to: a server shows none by itself. */
function listing(folder: string): string {
  const items = readdirSync(folder).map((name) => `<li><a href="${name}">${name}</a></li>`)
  return `<!doctype html>\n<meta charset="utf-8">\n<title>${folder}</title>\n<h1>${folder}</h1>\n<ul>\n${items.join('\n')}\n</ul>\n`
}

/** Builds the site into `output`, which is emptied first. Returns the links that lead nowhere, each with its page. */
export async function buildSite(output: string): Promise<string[]> {
  process.chdir(ROOT) // Eleventy knows no other root.
  rmSync(output, { recursive: true, force: true })
  const pages = readPages()
  const titles = new Map(pages.map(({ file, title }) => [file, title]))
  const groups = readGroups(pages)
  const linked = new Map<string, string>()
  const search = pages.flatMap(({ file, title, headings }) =>
    headings.map(({ text, anchor, level }) => [
      placeOf(file),
      level === 1 ? '' : anchor,
      title,
      level === 1 ? '' : text,
    ]),
  )
  const eleventy = new Eleventy(LAYOUT, output, {
    quietMode: true,
    configPath: false,
    config(config) {
      config.setIncludesDirectory('.')
      config.setTemplateFormats('md')
      config.amendLibrary('md', (markdown) => teach(markdown, new Set(titles.keys()), linked))
      for (const { file, text, title, headings } of pages) {
        const place = placeOf(file)
        config.addTemplate(file, text, {
          file,
          title,
          permalink: `/${place}`,
          layout: 'page.liquid',
          // What stands in braces on a page is the page's.
          templateEngineOverride: 'md',
          toRoot: relativeLink(place, 'index.html').replace(/index\.html$/, ''),
          contents: headings.filter(({ level }) => level === 2),
          groups: groups.map((group) => ({
            title: group.title,
            pages: group.files.map((each) => ({
              title: titles.get(each) ?? each,
              link: relativeLink(place, placeOf(each)),
              isHere: each === file,
            })),
          })),
        })
      }
    },
  })
  await eleventy.write()
  cpSync(path.join(LAYOUT, 'style.css'), path.join(output, 'style.css'))
  // A script and not JSON: a page that is opened as a file may not read another one.
  writeFileSync(path.join(output, 'search.js'), `var HEADINGS = ${JSON.stringify(search)}\n`)
  const broken: string[] = []
  for (const [file, page] of linked) {
    if (!existsSync(file)) {
      broken.push(`${page}: ${file}`)
      continue
    }
    mkdirSync(path.join(output, path.dirname(file)), { recursive: true })
    cpSync(file, path.join(output, file), { recursive: true })
    if (isFolder(file)) writeFileSync(path.join(output, file, 'index.html'), listing(file))
  }
  return broken
}

if (import.meta.main) {
  const output = process.argv[2] ?? 'site'
  const broken = await buildSite(path.resolve(output))
  for (const link of broken) console.error(`${link} does not exist`)
  console.log(`${path.join(output, 'index.html')} is the first page`)
  process.exitCode = broken.length === 0 ? 0 : 1
}
