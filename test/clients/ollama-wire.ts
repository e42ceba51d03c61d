/** What Ollama's own API answers: streams are lines of JSON. */
import { type Reply, refusal, stream, whole } from './scripted-origin.ts'

export const ANSWER = 'Grüße an die Welt 👋, and no tokens were spent.'
const PIECES = ['Grüße an ', 'die Welt ', '👋, and ', 'no tokens ', 'were spent.']
export const ARGUMENTS = { city: 'Zürich', unit: 'celsius' }

const line = { model: 'llama5', created_at: '2026-11-14T09:00:00.000000001Z' }
const end = {
  done: true,
  done_reason: 'stop',
  total_duration: 123_456_789,
  load_duration: 1_234_567,
  prompt_eval_count: 9,
  prompt_eval_duration: 12_345_678,
  eval_count: 12,
  eval_duration: 98_765_432,
}

export const chat: Reply = whole({ ...line, message: { role: 'assistant', content: ANSWER }, ...end }, [])

function streamOf(messages: readonly object[]): Reply {
  const lines = messages.map((message) => ({
    ...line,
    message: { role: 'assistant', content: '', ...message },
    done: false,
  }))
  const texts = [...lines, { ...line, message: { role: 'assistant', content: '' }, ...end }]
  return stream(
    'application/x-ndjson',
    texts.map((text) => `${JSON.stringify(text)}\n`),
    [],
  )
}

export const chatStream: Reply = streamOf(PIECES.map((content) => ({ content })))

export const toolStream: Reply = streamOf([
  { tool_calls: [{ function: { name: 'get_weather', arguments: ARGUMENTS } }] },
])

export const models: Reply = whole(
  {
    models: [
      { name: 'llama5', model: 'llama5', modified_at: '2026-11-14T09:00:00Z', size: 1, digest: 'd', details: {} },
    ],
  },
  [],
)

const ERRORS = {
  401: 'unauthorized',
  404: "model 'llama0' not found",
  429: 'too many requests',
  500: 'llama runner process has terminated',
  529: 'server busy, please try again. maximum pending requests exceeded',
} as const

export type ErrorStatus = keyof typeof ERRORS
export const ERROR_STATUSES = Object.keys(ERRORS).map(Number) as ErrorStatus[]

export function errorText(status: ErrorStatus): string {
  return ERRORS[status]
}

export function error(status: ErrorStatus): Reply {
  return refusal(status, { error: ERRORS[status] }, [])
}
