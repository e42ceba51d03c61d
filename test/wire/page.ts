import { fromNotation } from './notation.ts'

export interface Case {
  readonly title: string
  /** The method that a response answers; undefined: the bytes are requests. */
  readonly answers: string | undefined
  /** latin-1, as everything here. */
  readonly bytes: string
  readonly log: readonly string[]
  readonly passed: string | undefined
  /** What is known to be missing: the case may fail. */
  readonly notYet: string | undefined
}

const BLOCK = /^```(\S+)(?: to (\S+))?\n([\s\S]*?)^```\n/gm

/** The cases of a page. Whatever is not understood is an error: a case that is not run must not look like one. */
export function readPage(markdown: string): Case[] {
  const sections = markdown.split(/^## /m).slice(1)
  return sections.map((section) => {
    const title = section.slice(0, section.indexOf('\n'))
    const blocks = new Map<string, string>()
    let answers: string | undefined
    for (const [, kind, method, content] of section.matchAll(BLOCK)) {
      if (!['request', 'response', 'log', 'passed'].includes(kind!) || blocks.has(kind!))
        throw new Error(`${title}: ${kind}`)
      if ((kind === 'response') !== (method !== undefined)) throw new Error(`${title}: a response answers a method`)
      blocks.set(kind!, content!)
      answers ??= method
    }
    const bytes = blocks.get('request') ?? blocks.get('response')
    const log = blocks.get('log')
    const fences = section.match(/^```/gm) ?? []
    if (bytes === undefined || log === undefined || fences.length !== 2 * blocks.size)
      throw new Error(`${title}: its blocks`)
    const passed = blocks.get('passed')
    return {
      title,
      answers,
      bytes: fromNotation(bytes),
      log: log.split('\n').slice(0, -1).map(fromNotation),
      notYet: /^Not yet: (.+)$/m.exec(section)?.[1],
      passed: passed === undefined ? undefined : fromNotation(passed),
    }
  })
}
