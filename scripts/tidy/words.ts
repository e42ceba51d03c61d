import { lineOf, type SourceFile } from './tree.ts'

/** What must not stand anywhere in the repository: it is true on one machine only, or was left behind by accident. */
const FORBIDDEN: readonly (readonly [RegExp, string])[] = [
  [/(?<![\w.~$}/-])\/(?:home|Users|root|work)\/\w/g, 'a path of one machine'],
  [/\bregistry(?:\.[a-z0-9-]+)+(?=[/:'"\s])/gi, "a package registry's host"],
  [/^(?:<{7}|>{7}) /gm, 'a conflict marker'],
]

/** These hold recorded traffic as it was. */
const RECORDED = /^test\/vectors\//

export function checkWords(files: readonly SourceFile[]): string[] {
  const problems: string[] = []
  for (const { path, text } of files) {
    if (RECORDED.test(path)) continue
    for (const [pattern, what] of FORBIDDEN) {
      for (const match of text.matchAll(pattern))
        problems.push(`${path}:${lineOf(text, match.index)}: ${what}: ${match[0]}`)
    }
  }
  return problems
}
