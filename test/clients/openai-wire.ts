/** What OpenAI's API answers. */
import { type Reply, refusal, stream, whole } from './scripted-origin.ts'

const FIELDS = [
  'openai-organization: org-example',
  'openai-processing-ms: 123',
  'openai-version: 2020-10-01',
  'x-ratelimit-limit-requests: 10000',
  'x-ratelimit-remaining-tokens: 199987',
  'x-ratelimit-reset-requests: 8.64s',
  'x-request-id: req_0123456789abcdef',
]
const EVENTS = 'text/event-stream; charset=utf-8'

export const ANSWER = 'Grüße an die Welt 👋, and no tokens were spent.'
const PIECES = ['Grüße an ', 'die Welt ', '👋, and ', 'no tokens ', 'were spent.']
export const ARGUMENTS = { city: 'Zürich', unit: 'celsius' }
const ARGUMENT_PIECES = ['{"city":"', 'Zürich', '","unit":', '"celsius"}']

const usage = {
  prompt_tokens: 9,
  completion_tokens: 12,
  total_tokens: 21,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
}

const completion = { id: 'chatcmpl-1', created: 1_794_646_800, model: 'gpt-5.6', service_tier: 'default' }

function choice(content: object, finish_reason: string | null): object {
  return { choices: [{ index: 0, ...content, logprobs: null, finish_reason }] }
}

export const chat: Reply = whole(
  {
    ...completion,
    object: 'chat.completion',
    ...choice({ message: { role: 'assistant', content: ANSWER, refusal: null, annotations: [] } }, 'stop'),
    usage,
  },
  FIELDS,
)

function chunk(delta: object, finish: string | null = null): string {
  const data = { ...completion, object: 'chat.completion.chunk', ...choice({ delta }, finish), usage: null }
  return `data: ${JSON.stringify(data)}\n\n`
}

const lastChunk = { ...completion, object: 'chat.completion.chunk', choices: [], usage }
const END = [`data: ${JSON.stringify(lastChunk)}\n\n`, 'data: [DONE]\n\n']

/** With a comment, as some of OpenAI's likes send to keep the connection awake. */
export const chatStream: Reply = stream(
  EVENTS,
  [
    ': waiting\n\n',
    chunk({ role: 'assistant', content: '', refusal: null }),
    ...PIECES.map((content) => chunk({ content })),
    chunk({}, 'stop'),
    ...END,
  ],
  FIELDS,
)

const call = { index: 0, id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '' } }

export const toolStream: Reply = stream(
  EVENTS,
  [
    chunk({ role: 'assistant', content: null, tool_calls: [call] }),
    ...ARGUMENT_PIECES.map((piece) => chunk({ tool_calls: [{ index: 0, function: { arguments: piece } }] })),
    chunk({}, 'tool_calls'),
    ...END,
  ],
  FIELDS,
)

const responseUsage = {
  input_tokens: 9,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 12,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 21,
}

function responseOf(status: string, output: readonly object[]): object {
  return {
    id: 'resp_1',
    object: 'response',
    created_at: 1_794_646_800,
    status,
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    model: 'gpt-5.6',
    output,
    parallel_tool_calls: true,
    temperature: 1,
    tool_choice: 'auto',
    tools: [],
    top_p: 1,
    usage: status === 'completed' ? responseUsage : null,
  }
}

const part = { type: 'output_text', text: ANSWER, annotations: [], logprobs: [] }
const item = { id: 'msg_1', type: 'message', status: 'completed', role: 'assistant', content: [part] }
const functionCall = {
  id: 'fc_1',
  type: 'function_call',
  status: 'completed',
  call_id: 'call_1',
  name: 'get_weather',
  arguments: ARGUMENT_PIECES.join(''),
}

export const response: Reply = whole(responseOf('completed', [item]), FIELDS)

function typed(events: readonly Readonly<Record<string, unknown>>[]): string[] {
  return events.map((event, sequence_number) => {
    return `event: ${event.type}\ndata: ${JSON.stringify({ ...event, sequence_number })}\n\n`
  })
}

const BEGINNING = [
  { type: 'response.created', response: responseOf('in_progress', []) },
  { type: 'response.in_progress', response: responseOf('in_progress', []) },
]
const at = { item_id: 'msg_1', output_index: 0, content_index: 0 }

export const responseStream: Reply = stream(
  EVENTS,
  typed([
    ...BEGINNING,
    { type: 'response.output_item.added', output_index: 0, item: { ...item, status: 'in_progress', content: [] } },
    { type: 'response.content_part.added', ...at, part: { ...part, text: '' } },
    ...PIECES.map((delta) => ({ type: 'response.output_text.delta', ...at, delta, logprobs: [] })),
    { type: 'response.output_text.done', ...at, text: ANSWER, logprobs: [] },
    { type: 'response.content_part.done', ...at, part },
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response: responseOf('completed', [item]) },
  ]),
  FIELDS,
)

const ofCall = { item_id: 'fc_1', output_index: 0 }

export const responseToolStream: Reply = stream(
  EVENTS,
  typed([
    ...BEGINNING,
    {
      type: 'response.output_item.added',
      output_index: 0,
      item: { ...functionCall, status: 'in_progress', arguments: '' },
    },
    ...ARGUMENT_PIECES.map((delta) => ({ type: 'response.function_call_arguments.delta', ...ofCall, delta })),
    { type: 'response.function_call_arguments.done', ...ofCall, arguments: functionCall.arguments },
    { type: 'response.output_item.done', output_index: 0, item: functionCall },
    { type: 'response.completed', response: responseOf('completed', [functionCall]) },
  ]),
  FIELDS,
)

export const models: Reply = whole(
  {
    object: 'list',
    data: ['gpt-5.6', 'gpt-5.6-mini'].map((id) => ({
      id,
      object: 'model',
      created: 1_794_646_800,
      owned_by: 'openai',
    })),
  },
  FIELDS,
)

export const file: Reply = whole(
  {
    id: 'file-1',
    object: 'file',
    bytes: 26_214_400,
    created_at: 1_794_646_800,
    filename: 'a.bin',
    purpose: 'user_data',
    status: 'processed',
  },
  FIELDS,
)

/** An image of 5 MB comes as text within JSON. */
export const IMAGE = Buffer.alloc(5_000_000, 'pixels').toString('base64')
export const image: Reply = whole({ created: 1_794_646_800, data: [{ b64_json: IMAGE }] }, FIELDS)

export const SPEECH = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, n) => n % 251))
export const speech: Reply = {
  ...stream('audio/mpeg', [], FIELDS),
  content: [SPEECH.subarray(0, 1), SPEECH.subarray(1, 70_000), SPEECH.subarray(70_000)],
}

export const tooLarge: Reply = {
  ...refusal(413, { error: { message: 'The upload is too large.', type: 'invalid_request_error' } }, FIELDS),
  isEarly: true,
}

const ERRORS = {
  401: ['Incorrect API key provided: sk-pro***2345.', 'invalid_request_error', 'invalid_api_key'],
  404: [
    'The model `gpt-0` does not exist or you do not have access to it.',
    'invalid_request_error',
    'model_not_found',
  ],
  429: ['Rate limit reached for gpt-5.6 in organization org-example.', 'requests', 'rate_limit_exceeded'],
  500: ['The server had an error while processing your request.', 'server_error', null],
  529: ['The engine is currently overloaded.', 'server_error', 'overloaded'],
} as const

export type ErrorStatus = keyof typeof ERRORS
export const ERROR_STATUSES = Object.keys(ERRORS).map(Number) as ErrorStatus[]

export function errorMessage(status: ErrorStatus): string {
  return ERRORS[status][0]
}

export function error(status: ErrorStatus, ...hints: readonly string[]): Reply {
  const [message, type, code] = ERRORS[status]
  return refusal(status, { error: { message, type, param: null, code } }, [...FIELDS, ...hints])
}
