/** What a comparison has found. Nothing that differs is left out; the verdict says whether it counts. */
export interface Finding {
  readonly verdict: Verdict
  readonly part: Part
  readonly what: string
  /** A line stands on both sides in its place, and only its value differs. */
  readonly isInValue?: boolean
  readonly straight: Excerpt | undefined
  readonly gateway: Excerpt | undefined
}

/** `by contract`: the gateway must change that. `volatile` and `not repeatable`: a provider's answers differ there anyway. */
export type Verdict = 'different' | 'volatile' | 'not repeatable' | 'by contract'

export type Part =
  | 'interim response'
  | 'start line'
  | 'field line'
  | 'framing'
  | 'content'
  | 'chunk boundaries'
  | 'trailer'
  | 'end'
  | 'flow'

/** Text of one side, latin-1, and where in it the first difference is. */
export interface Excerpt {
  readonly text: string
  readonly at: number
}

/** Around a difference in content: enough that a secret that reaches into what is shown is seen whole, and masked. */
const REACH = 20_000

/** Two texts with the place where they begin to differ; undefined: there is none on that side. */
export function excerpts(
  straight: string | undefined,
  gateway: string | undefined,
): Pick<Finding, 'straight' | 'gateway'> {
  const [a = '', b = ''] = [straight, gateway]
  const isOnBoth = straight !== undefined && gateway !== undefined
  let at = 0
  if (isOnBoth) while (at < a.length && at < b.length && a.charCodeAt(at) === b.charCodeAt(at)) at++
  const excerpt = (text: string | undefined): Excerpt | undefined => (text === undefined ? undefined : { text, at })
  return { straight: excerpt(straight), gateway: excerpt(gateway) }
}

export function contentExcerpt(content: Buffer, at: number): Excerpt {
  const start = Math.max(0, at - REACH)
  return { text: content.toString('latin1', start, at + REACH), at: at - start }
}
