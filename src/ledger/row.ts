/** A row of the ledger: what the record of an exchange has, and what it used. Never a body, never a head, never a credential. */
type ColumnType = 'text' | 'integer' | 'real' | 'time' | 'money' | 'json'

/**
 * Every column, in the order in which a row has its values, under the names of the record. `time`: milliseconds since 1970, UTC;
 * `money`: dollars as a decimal text with at most 9 places; `json`: a text.
 */
export const COLUMNS = {
  instance: 'text',
  sequence: 'integer',
  time: 'time',
  client_ip: 'text',
  peer_ip: 'text',
  method: 'text',
  request_url: 'text',
  request_body_length: 'text',
  api_key: 'text',
  subject: 'text',
  client_cert: 'text',
  target_url: 'text',
  upstream: 'text',
  duration_ms: 'real',
  status: 'integer',
  response_body_length: 'text',
  request_bytes: 'integer',
  response_bytes: 'integer',
  ttfb_ms: 'real',
  outcome: 'text',
  error: 'text',
  upstream_address: 'text',
  request_id: 'text',
  cause: 'text',
  model: 'text',
  request_model: 'text',
  input_tokens: 'integer',
  cached_tokens: 'integer',
  cache_write_tokens: 'integer',
  output_tokens: 'integer',
  reasoning_tokens: 'integer',
  cost_usd: 'money',
  usage: 'text',
  ttft_ms: 'real',
  units: 'json',
} as const satisfies Readonly<Record<string, ColumnType>>

export type ColumnName = keyof typeof COLUMNS
export const COLUMN_NAMES = Object.keys(COLUMNS) as readonly ColumnName[]

type Value = string | number | undefined

/** The values by the order of the columns. How it comes from a serving thread: see packing.ts. */
export type Row = Value[]

/** Where a value stands in a row. */
export const AT = Object.fromEntries(COLUMN_NAMES.map((name, index) => [name, index])) as Readonly<
  Record<ColumnName, number>
>
