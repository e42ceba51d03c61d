/** The pages of the site: the repository's own, at the same places. docs/README.md is their index, and the order of the sidebar. */
import { globSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Heading, headingsOf } from './headings.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PATTERNS = ['*.md', 'docs/**/*.md', 'bench/README.md', 'deploy/**/README.md', 'test/*/README.md']
const INDEX = 'docs/README.md'

export interface Page {
  /** Its file, from the root of the repository, with slashes. */
  readonly file: string
  readonly text: string
  readonly title: string
  readonly headings: readonly Heading[]
}

export interface Group {
  readonly title: string
  readonly files: readonly string[]
}

/** Where a page of the repository is on the site, from its root. */
export function placeOf(file: string): string {
  return file.replace(/README\.md$/, 'index.html').replace(/\.md$/, '.html')
}

export function isFolder(file: string): boolean {
  return statSync(path.join(ROOT, file), { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** A link from one place of the site to another. */
export function relativeLink(from: string, to: string): string {
  return path.posix.relative(path.posix.dirname(from), to) || path.posix.basename(to)
}

export function readPages(): Page[] {
  const files = PATTERNS.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).map((file) =>
    file.replaceAll(path.sep, '/'),
  )
  return [...new Set(files)].sort().map((file) => {
    const text = readFileSync(path.join(ROOT, file), 'utf8')
    const headings = headingsOf(text)
    return { file, text, title: headings[0]?.text ?? file, headings }
  })
}

/** The sections of the index with the pages that each of them names, in order. */
export function readGroups(pages: readonly Page[]): Group[] {
  const index = pages.find(({ file }) => file === INDEX)!
  return index.text
    .split(/^## /m)
    .slice(1)
    .map((section) => ({
      title: section.slice(0, section.indexOf('\n')),
      files: [...section.matchAll(/^\| \[[^\]]+\]\(([^)#]+)\) \|/gm)]
        .map(([, link]) => path.posix.join(path.posix.dirname(INDEX), link!))
        .filter((file) => pages.some((page) => page.file === file)),
    }))
}
