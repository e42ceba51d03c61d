/** What Anthropic's API answers. */
import { type Reply, refusal, stream, whole } from './scripted-origin.ts'

const REQUEST_ID = 'req_011CSHoEeqs5C35K2UUqR7Fy'
const FIELDS = [
  'anthropic-organization-id: 00000000-0000-4000-8000-000000000000',
  'anthropic-ratelimit-requests-limit: 4000',
  'anthropic-ratelimit-requests-reset: 2026-11-14T09:00:01Z',
  `request-id: ${REQUEST_ID}`,
  'strict-transport-security: max-age=31536000; includeSubDomains; preload',
]

export const ANSWER = 'Grüße an die Welt 👋, and no tokens were spent.'
const PIECES = ['Grüße an ', 'die Welt ', '👋, and ', 'no tokens ', 'were spent.']
export const ARGUMENTS = { city: 'Zürich', unit: 'celsius' }
const ARGUMENT_PIECES = ['', '{"city":"', 'Zürich', '","unit":', '"celsius"}']

const usage = {
  input_tokens: 9,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  output_tokens: 1,
  service_tier: 'standard',
}
const empty = {
  id: 'msg_01',
  type: 'message',
  role: 'assistant',
  model: 'claude-5',
  content: [],
  stop_reason: null,
  stop_sequence: null,
  usage,
}

export const message: Reply = whole(
  {
    ...empty,
    content: [{ type: 'text', text: ANSWER, citations: null }],
    stop_reason: 'end_turn',
    usage: { ...usage, output_tokens: 12 },
  },
  FIELDS,
)

export const tokenCount: Reply = whole({ input_tokens: 9 }, FIELDS)

export const models: Reply = whole(
  {
    data: [{ type: 'model', id: 'claude-5', display_name: 'Claude 5', created_at: '2026-10-21T00:00:00Z' }],
    has_more: false,
    first_id: 'claude-5',
    last_id: 'claude-5',
  },
  FIELDS,
)

export const file: Reply = whole(
  {
    id: 'file_01',
    type: 'file',
    filename: 'a.bin',
    mime_type: 'application/octet-stream',
    size_bytes: 26_214_400,
    created_at: '2026-11-14T09:00:00Z',
    downloadable: false,
  },
  FIELDS,
)

/** A batch that has ended, with the absolute URL of its results. */
export function batch(results_url: string): Reply {
  return whole(
    {
      id: 'msgbatch_01',
      type: 'message_batch',
      processing_status: 'ended',
      request_counts: { processing: 0, succeeded: 1, errored: 0, canceled: 0, expired: 0 },
      ended_at: '2026-11-14T08:00:00Z',
      created_at: '2026-11-14T07:00:00Z',
      expires_at: '2026-11-15T07:00:00Z',
      results_url,
    },
    FIELDS,
  )
}

export const batchResults: Reply = stream(
  'application/x-jsonl',
  [`${JSON.stringify({ custom_id: 'first', result: { type: 'canceled' } })}\n`],
  FIELDS,
)

function streamOf(content_block: object, deltas: readonly object[], stop_reason: string): Reply {
  const events = [
    { type: 'message_start', message: empty },
    { type: 'content_block_start', index: 0, content_block },
    { type: 'ping' },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index: 0, delta })),
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 12 } },
    { type: 'message_stop' },
  ]
  const texts = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  return stream('text/event-stream; charset=utf-8', texts, FIELDS)
}

export const messageStream: Reply = streamOf(
  { type: 'text', text: '' },
  PIECES.map((text) => ({ type: 'text_delta', text })),
  'end_turn',
)

export const toolStream: Reply = streamOf(
  { type: 'tool_use', id: 'toolu_01', name: 'get_weather', input: {} },
  ARGUMENT_PIECES.map((partial_json) => ({ type: 'input_json_delta', partial_json })),
  'tool_use',
)

const ERRORS = {
  401: ['authentication_error', 'invalid x-api-key'],
  404: ['not_found_error', 'model: claude-0'],
  429: ['rate_limit_error', "This request would exceed your organization's rate limit."],
  500: ['api_error', 'Internal server error'],
  529: ['overloaded_error', 'Overloaded'],
} as const

export type ErrorStatus = keyof typeof ERRORS
export const ERROR_STATUSES = Object.keys(ERRORS).map(Number) as ErrorStatus[]

export function errorText(status: ErrorStatus): string {
  return ERRORS[status][1]
}

export function error(status: ErrorStatus, ...hints: readonly string[]): Reply {
  const [type, text] = ERRORS[status]
  return refusal(status, { type: 'error', error: { type, message: text }, request_id: REQUEST_ID }, [
    ...FIELDS,
    ...hints,
  ])
}
