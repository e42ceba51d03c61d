/** Headings of Markdown pages and the names that links use for them, as GitHub makes them. */

/** What stands in code is no link and no heading. */
export const withoutCode = (text: string): string => text.replaceAll(/^( *)```[\s\S]*?^ *```$/gm, '')

/** A maker of names for the headings of one page: a repeated heading gets a number. `heading` is Markdown. */
export function anchorMaker(): (heading: string) => string {
  const seen = new Map<string, number>()
  return (heading) => {
    const name = heading
      .toLowerCase()
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
    const before = seen.get(name) ?? 0
    seen.set(name, before + 1)
    return before === 0 ? name : `${name}-${before}`
  }
}

export interface Heading {
  readonly level: number
  /** As text, without the marks of code and links. */
  readonly text: string
  readonly anchor: string
}

export function headingsOf(page: string): Heading[] {
  const anchor = anchorMaker()
  return [...withoutCode(page).matchAll(/^(#{1,6}) (.+)$/gm)].map(([, marks, heading]) => ({
    level: marks!.length,
    text: heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[`*]/g, ''),
    anchor: anchor(heading!),
  }))
}
