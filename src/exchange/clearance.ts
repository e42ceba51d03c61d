import { isInnocent } from '../access/strays.ts'
import type { Identity, Upstream } from '../config/snapshot.ts'
import { FIELD, isOfResponses } from '../http/fields.ts'
import type { Clearance, EditedHead, FieldLine } from '../http/message.ts'
import type { RecordMemo } from '../observe/record.ts'
import type { Exchange, Path } from './exchange.ts'

/**
 * What the path has decided about a request's head, for the next ones on its connection that repeat it. It holds as long as the
 * snapshot is in force and the token lives; it keeps no snapshot.
 */
class Decision implements Clearance {
  readonly edited: EditedHead
  readonly identity: Identity
  readonly credentialLine: FieldLine | undefined
  readonly upstream: Upstream
  readonly upstreamTarget: string
  readonly memo: RecordMemo = { before: '', between: '' }
  readonly #path: Path
  readonly #generation: number
  readonly #key: string

  constructor(exchange: Exchange, key: string, edited: EditedHead) {
    this.edited = edited
    this.identity = exchange.identity!
    this.credentialLine = exchange.credentialLine
    this.upstream = exchange.upstream!
    this.upstreamTarget = exchange.upstreamTarget
    this.#path = exchange.path
    this.#generation = exchange.snapshot.generation
    this.#key = key
  }

  isInForce(): boolean {
    this.#path.catchUp?.()
    const { untilMs } = this.identity
    return this.#path.snapshot.generation === this.#generation && (untilMs === undefined || Date.now() < untilMs)
  }

  ignores(name: string): boolean {
    const { withOwnField } = this.#path.snapshot
    return !READ_BY_THE_PATH.has(name) && !withOwnField.some(({ credential }) => credential.name === name)
  }

  admits(line: string): boolean {
    return this.#key === '' || isInnocent(line, this.#key)
  }
}

/** Fields whose value the path may read although no parser lists them: pages of other origins, and whom proxies forward for. */
const READ_BY_THE_PATH: ReadonlySet<string> = new Set([
  'origin',
  'access-control-request-method',
  'access-control-request-headers',
  'forwarded',
  'x-forwarded-for',
])

/** Undefined where a repetition would have to be looked at again: several keys, one beside the fields, an offer to switch protocols. */
export function clearanceOf(exchange: Exchange, edited: EditedHead): Clearance | undefined {
  const { head, soleKey, strays } = exchange
  if (soleKey === undefined || head!.isWebSocketUpgrade || DIGITS.test(soleKey)) return undefined
  // What is taken out of this head for the key in it may hold none in the next one, and go on.
  if (strays.some(({ field }) => field === FIELD.other || isOfResponses(field))) return undefined
  return new Decision(exchange, soleKey, edited)
}

/** A key that could stand in a length, where nobody would look for it. */
const DIGITS = /^[0-9]+$/

/** Of an exchange that repeats another one. */
export function memoOf({ head }: Exchange): RecordMemo | undefined {
  return head?.repeated === undefined ? undefined : (head.clearance as Decision).memo
}

/** Decides about a head as about the one that it repeats. */
export function repeatDecision(exchange: Exchange): void {
  const decision = exchange.head!.clearance as Decision
  exchange.identity = decision.identity
  exchange.credentialLine = decision.credentialLine
  exchange.upstream = decision.upstream
  exchange.upstreamTarget = decision.upstreamTarget
}
