import { createEstimator, type Estimator } from '../../src/llm/estimate.ts'
import type { DialectName } from '../../src/llm/read-answer.ts'
import { ContentTap } from '../../src/llm/tap.ts'
import type { Usage } from '../../src/llm/usage.ts'

/** An exchange, as its tap sees it. What is not said is as with most of them. */
export interface Played {
  readonly target?: string
  readonly requestType?: string
  readonly request?: string | readonly Buffer[]
  readonly status?: number
  readonly type?: string
  readonly fields?: Readonly<Record<string, string>>
  readonly answer: string | Buffer | readonly (string | Buffer)[]
  readonly how?: 'complete' | 'broken'
  readonly dialect?: DialectName | 'auto'
  readonly estimator?: Estimator
  readonly now?: () => number
}

export function play(one: Played): Promise<Usage> {
  const tap = new ContentTap({
    dialect: one.dialect ?? 'auto',
    estimator: one.estimator ?? createEstimator(),
    now: one.now ?? (() => 0),
  })
  tap.requestHead(one.target ?? '/v1/chat/completions', one.requestType ?? 'application/json')
  const request = one.request ?? '{}'
  for (const piece of typeof request === 'string' ? [Buffer.from(request)] : request) tap.request(piece)
  tap.responseHead(one.status ?? 200, (name) =>
    name === 'content-type' ? (one.type ?? 'application/json') : one.fields?.[name],
  )
  const pieces = Array.isArray(one.answer) ? one.answer : [one.answer]
  for (const piece of pieces) tap.response(typeof piece === 'string' ? Buffer.from(piece) : piece)
  tap.end(one.how ?? 'complete')
  return new Promise((settle) => tap.result(settle))
}

/** A stream of server-sent events: an object becomes its data, a string is an event as it stands. */
export function events(...list: readonly (object | string)[]): string[] {
  return list.map((one) => (typeof one === 'string' ? one : `data: ${JSON.stringify(one)}\n\n`))
}

/** What is said of a usage, without what is not. */
export function said(usage: Usage): Record<string, unknown> {
  const all = Object.entries(usage).filter(([, value]) => value !== undefined)
  return Object.fromEntries(all)
}
