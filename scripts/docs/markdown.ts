/** What the site's Markdown does beside the ordinary: names for headings, and links that lead to pages of the site. */
import path from 'node:path'
import { anchorMaker } from './headings.ts'
import { isFolder, placeOf } from './pages.ts'

/** The parts of markdown-it's tokens that are looked at. */
interface Token {
  readonly type: string
  readonly content: string
  readonly children: Token[] | null
  attrSet(name: string, value: string): void
  attrGet(name: string): string | null
}

interface State {
  readonly tokens: Token[]
  readonly env: { readonly file?: string }
}

export interface MarkdownIt {
  set(options: { readonly html: boolean; readonly linkify: boolean }): MarkdownIt
  enable(rules: readonly string[]): MarkdownIt
  readonly core: { readonly ruler: { push(name: string, rule: (state: State) => void): void } }
}

/** `pages`: files that are on the site. `linked` gets every other file that a page leads to, which has to be copied, with that page. */
export function teach(markdown: MarkdownIt, pages: ReadonlySet<string>, linked: Map<string, string>): void {
  // Pages have <details>; without HTML it would be text.
  markdown.set({ html: true, linkify: false }).enable(['table'])
  markdown.core.ruler.push('anchors', ({ tokens }) => {
    const anchor = anchorMaker()
    for (const [at, token] of tokens.entries())
      if (token.type === 'heading_open') token.attrSet('id', anchor(tokens[at + 1]!.content))
  })
  markdown.core.ruler.push('links', ({ tokens, env }) => {
    const file = env.file
    if (file === undefined) return
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.type === 'link_open' ? token.attrGet('href') : null
      if (href === null || /^(?:[a-z]+:|#)/.test(href)) continue
      const [target, anchor] = href.split('#') as [string, string?]
      const aim = path.posix.join(path.posix.dirname(file), target)
      if (pages.has(aim))
        token.attrSet('href', [placeOf(target), anchor].filter((part) => part !== undefined).join('#'))
      else {
        linked.set(aim, file)
        if (isFolder(aim)) token.attrSet('href', `${target}/index.html`)
      }
    }
  })
}
