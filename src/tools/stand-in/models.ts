/**
 * The stand-in's models. Each listed one does something that a client should be able to cope with; any other name is
 * answered like `stand-in-1`, so that a client with a built-in model name works as well.
 */
import { Refusal } from './refusal.ts'

export interface Model {
  readonly about: string
  /** Every request is refused with this. */
  readonly refusal?: Refusal
  /** How many times longer than usual each token takes. */
  readonly slowdown?: number
  /** The connection breaks off in the middle of the answer. */
  readonly isCut?: boolean
}

const ORDINARY: Model = { about: 'Answers at a human pace.' }

export const MODELS: ReadonlyMap<string, Model> = new Map([
  ['stand-in-1', ORDINARY],
  ['stand-in-slow', { about: 'Takes 25 times longer for each token.', slowdown: 25 }],
  ['stand-in-cut', { about: 'Breaks off in the middle of its answer.', isCut: true }],
  [
    'stand-in-404',
    failing('Is never found.', new Refusal(404, 'The model does not exist.', { code: 'model_not_found' })),
  ],
  ['stand-in-429', failing('Is rate-limited.', temporary(429, 'Rate limit reached.', 'rate_limit_exceeded'))],
  ['stand-in-500', failing('Fails.', temporary(500, 'The server had an error.'))],
  ['stand-in-503', failing('Is unavailable.', temporary(503, 'The service is unavailable.'))],
  ['stand-in-529', failing('Is overloaded.', temporary(529, 'Overloaded.', 'overloaded'))],
])

export function modelNamed(name: string): Model {
  return MODELS.get(name) ?? ORDINARY
}

function failing(about: string, refusal: Refusal): Model {
  return { about, refusal }
}

/** One second: what a demo can wait for, and far below what a client should never obey. */
function temporary(status: number, message: string, code?: string): Refusal {
  const text = `${message} This is what the stand-in model of this name is for. Try again in 1 second.`
  return new Refusal(status, text, { retryAfterSeconds: 1, ...(code === undefined ? {} : { code }) })
}
