/** What Mistral's API answers. */
import { type Reply, refusal, stream, whole } from './scripted-origin.ts'

const FIELDS = [
  'mistral-correlation-id: 0199a000-0000-7000-8000-000000000000',
  'x-kong-request-id: 0199a000000070008000000000000000',
  'x-ratelimit-limit-req-minute: 60',
]

export const ANSWER = 'Grüße an die Welt 👋, and no tokens were spent.'
const PIECES = ['Grüße an ', 'die Welt ', '👋, and ', 'no tokens ', 'were spent.']
export const ARGUMENTS = { city: 'Zürich', unit: 'celsius' }

const usage = { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21 }
const completion = { id: 'cmpl-1', created: 1_794_646_800, model: 'mistral-large-latest' }
const call = {
  id: 'D681PevKs',
  type: 'function',
  function: { name: 'get_weather', arguments: JSON.stringify(ARGUMENTS) },
  index: 0,
}

export const chat: Reply = whole(
  {
    ...completion,
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: ANSWER, tool_calls: null }, finish_reason: 'stop' }],
    usage,
  },
  FIELDS,
)

function streamOf(deltas: readonly object[], finish: string): Reply {
  const events = deltas.map((delta, n) => {
    const isLast = n === deltas.length - 1
    const choices = [{ index: 0, delta, finish_reason: isLast ? finish : null }]
    const data = { ...completion, object: 'chat.completion.chunk', choices, ...(isLast ? { usage } : {}) }
    return `data: ${JSON.stringify(data)}\n\n`
  })
  return stream('text/event-stream; charset=utf-8', [...events, 'data: [DONE]\n\n'], FIELDS)
}

export const chatStream: Reply = streamOf(
  [{ role: 'assistant', content: '' }, ...PIECES.map((content) => ({ content })), { content: '' }],
  'stop',
)

export const toolStream: Reply = streamOf(
  [
    { role: 'assistant', content: '' },
    { content: '', tool_calls: [call] },
  ],
  'tool_calls',
)

export const file: Reply = whole(
  {
    id: '0199a000-0000-7000-8000-000000000001',
    object: 'file',
    bytes: 26_214_400,
    created_at: 1_794_646_800,
    filename: 'a.bin',
    purpose: 'batch',
    sample_type: 'batch_request',
    num_lines: 1,
    mimetype: 'application/octet-stream',
    source: 'upload',
    signature: null,
  },
  FIELDS,
)

const ERRORS = {
  401: { detail: 'Unauthorized' },
  404: { object: 'error', message: 'Invalid model: mistral-0', type: 'invalid_model', param: null, code: '1500' },
  429: { object: 'error', message: 'Rate limit exceeded', type: 'rate_limited', param: null, code: '1300' },
  500: { object: 'error', message: 'Service unavailable.', type: 'internal_server_error', param: null, code: '3000' },
  529: { object: 'error', message: 'Overloaded.', type: 'overloaded', param: null, code: '3505' },
} as const

export type ErrorStatus = keyof typeof ERRORS
export const ERROR_STATUSES = Object.keys(ERRORS).map(Number) as ErrorStatus[]

export function errorBody(status: ErrorStatus): object {
  return ERRORS[status]
}

export function error(status: ErrorStatus, ...hints: readonly string[]): Reply {
  return refusal(status, ERRORS[status], [...FIELDS, ...hints])
}
