/**
 * What an exchange has used. Its tap is offered content that has gone on already, and tells at the end; it cannot change, hold or end
 * anything.
 */
import type { Upstream } from '../config/snapshot.ts'
import { FIELD, type Field } from '../http/fields.ts'
import { linesNamed } from '../http/lines.ts'
import type { RequestHead, ResponseHead } from '../http/message.ts'
import { Unchunker } from '../http/unchunker.ts'
import type { Estimator } from '../llm/estimate.ts'
import { ContentTap } from '../llm/tap.ts'
import { wordsOf } from '../llm/target-words.ts'
import { addDollars, BROKEN, type Counts, UNUSED, type Usage } from '../llm/usage.ts'
import { addTokens, type Tokens, tokensWithout } from '../metrics/usage-counts.ts'
import { monotonicMs } from '../runtime/clock.ts'
import type { Exchange } from './exchange.ts'
import { turned } from './measure.ts'
import { shownModel } from './shown-model.ts'

/** What taps of one thread share. */
export interface Metering {
  readonly estimator: Estimator
  /** Dollars by the table of prices; undefined where there is none to go by. */
  readonly costOf: (usage: Usage, upstream: Upstream) => string | undefined
  /** Exchanges that nobody else waits for: over, with an answer that is still read, or left by their clients. See `settled`. */
  unsettled: number
  /** Somebody waits for the last of them. */
  settling: PromiseWithResolvers<void> | undefined
}

/** None of its methods throws, whatever its tap does. */
export class Meter {
  readonly #tap: ContentTap
  #requestFraming: Unchunker | undefined
  #responseFraming: Unchunker | undefined
  #isBroken = false
  /** Of a request that asks for a tunnel: an answer that opens none is as good as that to any other GET. */
  readonly #isForTunnel: boolean
  /** What the turns of a tunnel came to, which the metrics have counted already. */
  counted: Tokens | undefined
  /** What they cost, as long as each of them has a price. */
  #turnsCost: string | undefined = '0'

  /** May throw. */
  constructor(exchange: Exchange, dialect: Exclude<Upstream['usage'], 'off'>) {
    const head = exchange.head!
    this.#isForTunnel = head.isWebSocketUpgrade
    this.#tap = new ContentTap({
      dialect,
      estimator: exchange.path.metering.estimator,
      startedMs: exchange.startedAtMs,
      now: monotonicMs,
      onTurn: (counts, model) => {
        const turn = tokensOf(counts)
        this.counted = this.counted === undefined ? turn : addTokens(this.counted, turn)
        const shown = shownModel(exchange, model)
        this.#price(exchange, counts, turn, shown)
        turned(exchange, shown, turn)
      },
    })
    this.#requestFraming = head.framing === 'chunked' ? new Unchunker() : undefined
    this.#tap.requestHead(exchange.upstreamTarget, fieldValueOf(head, FIELD.contentType))
  }

  get readsFields(): boolean {
    return this.#tap.readsFields
  }

  request(before: string, buffer: Buffer, start: number, end: number): void {
    if (this.#isBroken || !this.#tap.looksAtRequest) return
    try {
      if (this.#requestFraming !== undefined) this.#unframe('request', this.#requestFraming, before, buffer, start, end)
      else if (start < end) this.#tap.request(buffer.subarray(start, end))
    } catch {
      this.#isBroken = true
    }
  }

  responseHead(head: ResponseHead, before: string, buffer: Buffer, start: number, end: number): void {
    if (this.#isBroken || (this.#isForTunnel && head.status !== 101)) return
    try {
      this.#responseFraming = head.framing === 'chunked' ? new Unchunker() : undefined
      this.#tap.responseHead(head.status, (name) => fieldOf(head, name))
    } catch {
      this.#isBroken = true
    }
    this.response(before, buffer, start, end)
  }

  /** After a 101 nothing has a framing of HTTP's. */
  switched(head: ResponseHead, buffer: Buffer, start: number, end: number): void {
    this.#requestFraming = undefined
    this.responseHead({ ...head, framing: 'until-close' }, '', buffer, start, end)
  }

  response(before: string, buffer: Buffer, start: number, end: number): void {
    if (this.#isBroken) return
    try {
      if (this.#responseFraming !== undefined)
        this.#unframe('response', this.#responseFraming, before, buffer, start, end)
      else if (start < end) this.#tap.response(buffer, start, end)
    } catch {
      this.#isBroken = true
    }
  }

  #unframe(
    way: 'request' | 'response',
    framing: Unchunker,
    before: string,
    buffer: Buffer,
    start: number,
    end: number,
  ): void {
    framing.text(before)
    for (let at = start; at < end; ) {
      at = framing.next(buffer, at, end)
      const { pieceStart, pieceEnd } = framing
      if (pieceStart === pieceEnd) continue
      if (way === 'response') this.#tap.response(buffer, pieceStart, pieceEnd)
      else this.#tap.request(buffer.subarray(pieceStart, pieceEnd))
    }
  }

  #price(exchange: Exchange, counts: Counts, turn: Tokens, model: string | undefined): void {
    if (this.#turnsCost === undefined) return
    const requestModel = shownModel(exchange, wordsOf(exchange.upstreamTarget).model)
    const used: Usage = { ...UNUSED, ...turn, model, requestModel, units: counts.units, tier: counts.tier }
    const cost = counts.costUsd ?? exchange.path.metering.costOf(used, exchange.upstream!)
    this.#turnsCost = cost === undefined ? undefined : addDollars(this.#turnsCost, cost)
  }

  /**
   * What a tunnel cost: each turn is a request to whoever sells it, and long ones may have a price of their own, which the sum of short
   * ones has not. Undefined where there were none, or not all have a price.
   */
  costOfTurns(usage: Usage, costOf: (rest: Usage) => string | undefined): string | undefined {
    if (this.counted === undefined || usage.usage === 'unknown') return undefined
    if (this.#turnsCost === undefined) return undefined
    const rest = { ...usage, ...tokensWithout(usage, this.counted), units: undefined }
    // Of a turn that was broken off.
    if (!rest.inputTokens && !rest.outputTokens) return this.#turnsCost
    const cost = costOf(rest)
    return cost && addDollars(this.#turnsCost, cost)
  }

  /** What was used; undefined: a compressed answer is still to be read, and `late` will be called. */
  end(isComplete: boolean, requestBytes: number, late: (usage: Usage) => void): Usage | undefined {
    let known: Usage | undefined
    let isLate = false
    try {
      // It gives its memory back in any case.
      this.#tap.end(isComplete ? 'complete' : 'broken', requestBytes)
      if (this.#isBroken) return BROKEN
      this.#tap.result((usage) => {
        if (isLate) late(usage)
        else known = usage
      })
    } catch {
      return BROKEN
    }
    isLate = true
    return known
  }
}

/** Content that costs tokens is the answer to a POST, or passes through a tunnel: what is fetched has been paid for before. */
export function startMeter(exchange: Exchange, before: string, buffer: Buffer, start: number, end: number): void {
  const { usage } = exchange.upstream!
  const { method, isWebSocketUpgrade } = exchange.head!
  if (usage === 'off' || (method !== 'POST' && !isWebSocketUpgrade)) return
  try {
    exchange.meter = new Meter(exchange, usage)
  } catch (error) {
    exchange.path.reportBug(error)
    return
  }
  exchange.meter.request(before, buffer, start, end)
}

/** Whether its tap reads fields of the answer that nobody else does. */
export function metersHead({ meter }: Exchange): boolean {
  return meter?.readsFields === true
}

/**
 * Calls `done` once with what the exchange has used; undefined where nobody was to look. Mostly at once: only what has come compressed
 * takes a moment, for which nobody waits but `settled`.
 */
export function settleMeter(exchange: Exchange, done: (usage: Usage | undefined) => void): void {
  const { meter, upstream, failure, requestBytes, path } = exchange
  if (meter === undefined) {
    done(upstream === undefined || upstream.usage === 'off' ? undefined : UNUSED)
    return
  }
  const { metering } = path
  const usage = meter.end(failure === undefined, requestBytes, (late) => {
    try {
      done(late)
    } catch (error) {
      path.reportBug(error)
    }
    settledOne(metering)
  })
  if (usage === undefined) metering.unsettled++
  else done(usage)
}

export function settledOne(metering: Metering): void {
  if (--metering.unsettled === 0) metering.settling?.resolve()
}

/** Resolves when every exchange that is over, or whose client is, has its record. */
export function settled(metering: Metering): Promise<void> {
  if (metering.unsettled === 0) return Promise.resolve()
  metering.settling ??= Promise.withResolvers()
  return metering.settling.promise
}

function tokensOf({ input, cached, cacheWrite, output, reasoning }: Counts): Tokens {
  return {
    inputTokens: input,
    cachedTokens: cached,
    cacheWriteTokens: cacheWrite,
    outputTokens: output,
    reasoningTokens: reasoning,
  }
}

function fieldValueOf({ text, lines }: RequestHead | ResponseHead, field: Field): string | undefined {
  for (const line of lines) if (line.field === field) return text.slice(line.valueStart, line.valueEnd)
  return undefined
}

/** Of all lines, as one list. */
function codingsOf({ text, lines }: ResponseHead): string | undefined {
  let codings: string | undefined
  for (const line of lines) {
    if (line.field !== FIELD.contentEncoding) continue
    const value = text.slice(line.valueStart, line.valueEnd)
    codings = codings === undefined ? value : `${codings}, ${value}`
  }
  return codings
}

function fieldOf(head: ResponseHead, name: string): string | undefined {
  if (name === 'content-type') return fieldValueOf(head, FIELD.contentType)
  if (name === 'content-encoding') return codingsOf(head)
  const [line] = linesNamed(head, name)
  return line && head.text.slice(line.valueStart, line.valueEnd)
}
