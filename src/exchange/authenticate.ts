import { hash } from 'node:crypto'
import { verifyJwt } from '../access/jwt.ts'
import type { Identity, Snapshot } from '../config/snapshot.ts'
import type { FailureCode } from '../failure.ts'
import { FIELD, isCredentialField } from '../http/fields.ts'
import type { FieldLine, RequestHead } from '../http/message.ts'
import type { Exchange } from './exchange.ts'

/** Where a credential is looked for, the first one found being the one that is swapped. */
const ORDER = [FIELD.authorization, FIELD.xApiKey, FIELD.apiKey, FIELD.xGoogApiKey, FIELD.xFluxgateKey] as const

/** The scheme of RFC 6750, in any case, and the blank after it. */
const BEARER = /^bearer /i
const BEARER_LENGTH = 'bearer '.length

/** Finds out who the client is. Every refusal is the same to the client: it learns nothing of why. */
export function authenticate(exchange: Exchange): FailureCode | undefined {
  const head = exchange.head!
  const snapshot = exchange.snapshot
  if (snapshot.anonymous !== undefined) {
    exchange.identity = snapshot.anonymous
    exchange.credentialLine = firstCredentialLine(head)
    return undefined
  }
  let identity: Identity | undefined
  let gatewayKeyLines: number[] | undefined
  let hasAuthorization = false
  let strayLine = -1
  for (let i = 0; i < head.lines.length; i++) {
    const line = head.lines[i]!
    if (!isCredentialField(line.field)) continue
    if (line.field === FIELD.authorization) {
      if (hasAuthorization) return 'unauthorized'
      hasAuthorization = true
    }
    const found = identify(credentialOf(head.text, line), snapshot)
    if (found === undefined) {
      if (line.field === FIELD.authorization) strayLine = i
      continue
    }
    if (identity !== undefined && identity !== found) return 'unauthorized'
    identity = found
    if (gatewayKeyLines === undefined) gatewayKeyLines = [i]
    else gatewayKeyLines.push(i)
  }
  if (identity === undefined || gatewayKeyLines === undefined) return 'unauthorized'
  exchange.identity = identity
  exchange.credentialLine = gatewayKeyLines.length === 1 ? gatewayKeyLines[0]! : firstInOrder(head, gatewayKeyLines)
  if (strayLine !== -1 && carriesKey(head.text, head.lines[strayLine]!, snapshot)) gatewayKeyLines.push(strayLine)
  exchange.gatewayKeyLines = gatewayKeyLines
  return undefined
}

/** What may stand around a key in a value of `Authorization`: `Token token="KEY"`, `KEY,`. */
const AROUND_KEYS = /[\s,;="]+/
/** Of a value, these many words are looked at: each costs a digest. */
const MAX_WORDS = 16
const BASIC = /^basic$/i

/**
 * A gateway key bare, or behind another scheme than Bearer, or with something beside it: it opens nothing there, and must not
 * reach a provider either.
 */
function carriesKey(text: string, line: FieldLine, snapshot: Snapshot): boolean {
  const value = text.slice(line.valueStart, line.valueEnd)
  const words = value.split(AROUND_KEYS, MAX_WORDS)
  const isKey = (word: string): boolean => identify(word, snapshot) !== undefined
  // A key may have such marks in itself.
  const behindScheme = value.replace(/^\S+[ \t]+/, '')
  if (isKey(value) || isKey(behindScheme) || words.some(isKey)) return true
  if (!BASIC.test(words[0]!) || words.length < 2) return false
  // user ":" password (RFC 7617 section 2)
  const login = Buffer.from(words[1]!, 'base64').toString('latin1')
  const colon = login.indexOf(':')
  return colon !== -1 && (isKey(login.slice(0, colon)) || isKey(login.slice(colon + 1)))
}

/** Start of the credential within the line's value, or -1 where the line has none (another scheme than Bearer). */
export function credentialStart(text: string, line: FieldLine): number {
  if (line.field !== FIELD.authorization) return line.valueStart
  const scheme = text.slice(line.valueStart, line.valueStart + BEARER_LENGTH)
  if (line.valueEnd < line.valueStart + BEARER_LENGTH || !BEARER.test(scheme)) return -1
  let start = line.valueStart + BEARER_LENGTH
  while (start < line.valueEnd && text.charCodeAt(start) === 0x20) start++
  return start
}

function credentialOf(text: string, line: FieldLine): string {
  const start = credentialStart(text, line)
  return start === -1 ? '' : text.slice(start, line.valueEnd)
}

/** Static keys by their digest: looking up a digest tells an attacker's clock nothing about any key. */
function identify(credential: string, snapshot: Snapshot): Identity | undefined {
  if (credential === '') return undefined
  const { staticKeys, jwtKeys } = snapshot.keys
  if (staticKeys.size > 0) {
    const found = staticKeys.get(digest(credential))
    if (found !== undefined) return found
  }
  return jwtKeys.size > 0 ? verifyJwt(credential, jwtKeys, Date.now() / 1000) : undefined
}

/** SHA-256 over the bytes as they came; configured keys are UTF-8. */
function digest(credential: string): string {
  for (let i = 0; i < credential.length; i++) {
    if (credential.charCodeAt(i) > 0x7f) return hash('sha256', Buffer.from(credential, 'latin1'), 'hex')
  }
  return hash('sha256', credential, 'hex')
}

function firstInOrder(head: RequestHead, candidates: readonly number[]): number {
  for (const field of ORDER) {
    for (const i of candidates) if (head.lines[i]!.field === field) return i
  }
  return -1
}

/** Of an anonymous client: the field that it used, if any. Its own scheme in Authorization is none of ours. */
function firstCredentialLine(head: RequestHead): number {
  const candidates: number[] = []
  for (let i = 0; i < head.lines.length; i++) {
    const line = head.lines[i]!
    if (isCredentialField(line.field) && credentialStart(head.text, line) !== -1) candidates.push(i)
  }
  return firstInOrder(head, candidates)
}
