/** What Google's Gemini API answers. */
import { type Reply, refusal, stream, whole } from './scripted-origin.ts'

const FIELDS = [
  'Vary: Origin',
  'Vary: X-Origin',
  'Vary: Referer',
  'X-XSS-Protection: 0',
  'Server-Timing: gfet4t7; dur=321',
  'Alt-Svc: h3=":443"; ma=2592000,h3-29=":443"; ma=2592000',
]

export const ANSWER = 'Grüße an die Welt 👋, and no tokens were spent.'
const PIECES = ['Grüße an die Welt ', '👋, and no ', 'tokens were spent.']
export const ARGUMENTS = { city: 'Zürich', unit: 'celsius' }

function response(parts: readonly object[], isLast = true): object {
  return {
    candidates: [{ content: { role: 'model', parts }, ...(isLast ? { finishReason: 'STOP' } : {}), index: 0 }],
    usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 12, totalTokenCount: 21 },
    modelVersion: 'gemini-4-pro',
    responseId: 'r01',
  }
}

function events(responses: readonly object[]): Reply {
  const texts = responses.map((item) => `data: ${JSON.stringify(item)}\r\n\r\n`)
  return stream('text/event-stream', texts, FIELDS)
}

const functionCall = { functionCall: { name: 'get_weather', args: ARGUMENTS } }

export const content: Reply = whole(response([{ text: ANSWER }]), FIELDS)

export const contentStream: Reply = events(PIECES.map((text, n) => response([{ text }], n === PIECES.length - 1)))

export const toolStream: Reply = events([response([{ text: 'Let me see. ' }], false), response([functionCall])])

export const tokenCount: Reply = whole({ totalTokens: 9 }, FIELDS)

export const models: Reply = whole(
  { models: [{ name: 'models/gemini-4-pro', version: '4', displayName: 'Gemini 4 Pro', inputTokenLimit: 1_048_576 }] },
  FIELDS,
)

/** Where an upload goes on is told in a field, as an absolute URL. */
export function uploadStarted(url: string): Reply {
  return whole({}, [...FIELDS, `x-goog-upload-url: ${url}`, 'x-goog-upload-status: active'])
}

export const uploadTaken: Reply = whole({}, [...FIELDS, 'x-goog-upload-status: active'])

export const uploaded: Reply = whole(
  { file: { name: 'files/f01', mimeType: 'application/octet-stream', sizeBytes: '26214400', state: 'ACTIVE' } },
  [...FIELDS, 'x-goog-upload-status: final'],
)

const ERRORS = {
  401: ['UNAUTHENTICATED', 'Request had invalid authentication credentials.'],
  404: ['NOT_FOUND', 'models/gemini-0 is not found for API version v1.'],
  429: ['RESOURCE_EXHAUSTED', 'You exceeded your current quota.'],
  500: ['INTERNAL', 'An internal error has occurred.'],
  529: ['UNAVAILABLE', 'The model is overloaded.'],
} as const

export type ErrorStatus = keyof typeof ERRORS
export const ERROR_STATUSES = Object.keys(ERRORS).map(Number) as ErrorStatus[]

export function errorBody(code: ErrorStatus): object {
  const [status, message] = ERRORS[code]
  const details = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '12s' }]
  return { error: { code, message, status, ...(code === 429 ? { details } : {}) } }
}

export function error(code: ErrorStatus): Reply {
  return refusal(code, errorBody(code), FIELDS)
}
