import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** A fenced block of a page, without the indentation that its fence has. */
export interface Block {
  readonly page: string
  /** The line of its fence, from 1. */
  readonly line: number
  readonly text: string
}

/** What people read first, and the guide: paths from the root. */
export const GUIDE: readonly string[] = [
  'README.md',
  ...globSync('docs/guide/*.md', { cwd: ROOT }).sort(),
  ...globSync('docs/*.md', { cwd: ROOT }).sort(),
  'deploy/README.md',
]

export function readPage(page: string): string {
  return readFileSync(path.join(ROOT, page), 'utf8')
}

export function blocksOf(page: string, language: string): Block[] {
  const text = readPage(page)
  const fence = new RegExp(`^( *)\`\`\`${language}\\n([\\s\\S]*?)^ *\`\`\`$`, 'gm')
  return [...text.matchAll(fence)].map((match) => ({
    page,
    line: text.slice(0, match.index).split('\n').length,
    text: match[2]!.replaceAll(new RegExp(`^${match[1]}`, 'gm'), ''),
  }))
}
