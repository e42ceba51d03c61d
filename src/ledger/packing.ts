/**
 * How rows cross from a serving thread to the ledger's: numbers stand in one grid, texts beside it, each once as long as it repeats
 * itself from row to row. A grid is copied in one piece, where an array of the same values is written and read value by value.
 */
import type { KeyRing } from '../config/snapshot.ts'
import type { RecordUsage, RequestRecord } from '../observe/record.ts'
import { redactMethod, redactTarget, redactUnchecked } from '../observe/redact.ts'
import { AT, COLUMN_NAMES, COLUMNS, type Row } from './row.ts'

/** But for `instance` and `sequence`: see `Handed`. */
export interface PackedRows {
  readonly count: number
  /** A row after the other. NaN: there is no value. A number, or of a text its place in `texts`. */
  readonly cells: Float64Array
  readonly texts: readonly string[]
}

/** Behind `instance` and `sequence`. */
const FIRST = 2
const END = COLUMN_NAMES.length
const WIDTH = END - FIRST

/** By place in a row. */
const IS_TEXT: readonly boolean[] = COLUMN_NAMES.map((name) => ['text', 'money', 'json'].includes(COLUMNS[name]))

/** A longer text of a client's would fill the ledger; the log cuts at the same places or before. */
const MAX_TARGET_LENGTH = 2_048
const MAX_TEXT_LENGTH = 128

export class Packer {
  readonly #cells: Float64Array
  #texts: string[] = []
  #count = 0
  /** The text of the row before, by place, and where it stands: most of a row repeats. */
  readonly #last: (string | undefined)[] = new Array(END).fill(undefined)
  readonly #lastAt = new Float64Array(END)
  /** Of targets: as they came. */
  readonly #url = new ShownTarget()
  readonly #target = new ShownTarget()

  /** @param most rows */
  constructor(most: number) {
    this.#cells = new Float64Array(most * WIDTH)
  }

  /**
   * Returns how many there are now.
   *
   * @param keys those of the exchange's snapshot: what is one of them is masked
   * @param timeMs when the exchange ended, since 1970
   */
  add(record: RequestRecord, keys: KeyRing, timeMs: number): number {
    const { usage } = record
    const isKnown = record.upstream !== undefined
    const at = this.#count++ * WIDTH - FIRST
    this.#number(at, AT.time, timeMs)
    this.#text(at, AT.client_ip, record.clientIp)
    this.#text(at, AT.peer_ip, record.peerIp)
    this.#text(at, AT.method, cut(isKnown ? record.method : redactMethod(record.method, keys), MAX_TEXT_LENGTH))
    this.#text(at, AT.request_url, this.#url.of(record.requestUrl, keys, isKnown))
    this.#text(at, AT.request_body_length, cut(record.requestBodyLength, MAX_TEXT_LENGTH))
    this.#text(at, AT.api_key, record.apiKey)
    this.#text(at, AT.subject, record.subject)
    this.#text(at, AT.client_cert, record.clientCertificate)
    this.#text(at, AT.target_url, record.targetUrl && this.#target.of(record.targetUrl, keys, true))
    this.#text(at, AT.upstream, record.upstream)
    this.#number(at, AT.duration_ms, record.durationMs)
    this.#number(at, AT.status, record.status)
    this.#text(at, AT.response_body_length, cut(record.responseBodyLength, MAX_TEXT_LENGTH))
    this.#number(at, AT.request_bytes, record.requestBytes)
    this.#number(at, AT.response_bytes, record.responseBytes)
    this.#number(at, AT.ttfb_ms, record.ttfbMs)
    this.#text(at, AT.outcome, record.outcome)
    this.#text(at, AT.error, record.error)
    this.#text(at, AT.upstream_address, record.upstreamAddress)
    this.#text(at, AT.request_id, record.requestId)
    this.#text(at, AT.cause, record.cause)
    if (usage === undefined) this.#cells.fill(Number.NaN, at + AT.model, at + END)
    else this.#addUsage(at, usage)
    return this.#count
  }

  #addUsage(at: number, usage: RecordUsage): void {
    this.#text(at, AT.model, usage.model)
    this.#text(at, AT.request_model, usage.requestModel)
    this.#number(at, AT.input_tokens, usage.inputTokens)
    this.#number(at, AT.cached_tokens, usage.cachedTokens)
    this.#number(at, AT.cache_write_tokens, usage.cacheWriteTokens)
    this.#number(at, AT.output_tokens, usage.outputTokens)
    this.#number(at, AT.reasoning_tokens, usage.reasoningTokens)
    this.#text(at, AT.cost_usd, usage.costUsd)
    this.#text(at, AT.usage, usage.usage)
    this.#number(at, AT.ttft_ms, usage.ttftMs)
    this.#text(at, AT.units, usage.units && JSON.stringify(usage.units))
  }

  #number(at: number, place: number, value: number | undefined): void {
    this.#cells[at + place] = value ?? Number.NaN
  }

  #text(at: number, place: number, value: string | undefined): void {
    if (value === undefined) {
      this.#cells[at + place] = Number.NaN
      return
    }
    if (value !== this.#last[place]) {
      this.#last[place] = value
      this.#lastAt[place] = this.#texts.push(value) - 1
    }
    this.#cells[at + place] = this.#lastAt[place]!
  }

  /** What was added since the last time. */
  take(): PackedRows {
    const packed = { count: this.#count, cells: this.#cells.slice(0, this.#count * WIDTH), texts: this.#texts }
    this.#count = 0
    this.#texts = []
    this.#last.fill(undefined)
    return packed
  }
}

/** @param sequence of the first row */
export function unpack({ count, cells, texts }: PackedRows, instance: string, sequence: number): Row[] {
  const rows: Row[] = []
  for (let index = 0; index < count; index++) {
    const at = index * WIDTH - FIRST
    const row: Row = new Array(END)
    row[AT.instance] = instance
    row[AT.sequence] = sequence + index
    for (let place = FIRST; place < END; place++) {
      const cell = cells[at + place]!
      row[place] = Number.isNaN(cell) ? undefined : IS_TEXT[place] ? texts[cell] : cell
    }
    rows.push(row)
  }
  return rows
}

/** A target as the ledger shows it. The one before is remembered: most of one thread's are the same. */
class ShownTarget {
  #given: string | undefined
  #keys: KeyRing | undefined
  #isChecked = false
  #shown = ''

  of(target: string, keys: KeyRing, isChecked: boolean): string {
    if (target !== this.#given || keys !== this.#keys || isChecked !== this.#isChecked) {
      this.#given = target
      this.#keys = keys
      this.#isChecked = isChecked
      this.#shown = cut(isChecked ? redactTarget(target, keys) : redactUnchecked(target, keys), MAX_TARGET_LENGTH)
    }
    return this.#shown
  }
}

function cut<T extends string | undefined>(text: T, length: number): T | string {
  return text !== undefined && text.length > length ? `${text.slice(0, length - 1)}…` : text
}
