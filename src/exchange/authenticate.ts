import { identify } from '../access/identify.ts'
import type { FailureCode } from '../failure.ts'
import type { Exchange } from './exchange.ts'

/** Finds out who the client is, and where its key stands. */
export function authenticate(exchange: Exchange): FailureCode | undefined {
  const access = identify(exchange.head!, exchange.snapshot)
  if (typeof access === 'string') {
    exchange.cause = access
    return 'unauthorized'
  }
  exchange.identity = access.identity
  exchange.credentialLine = access.credentialLine
  if (access.strays === 'key_in_target') return access.strays
  exchange.strays = access.strays
  exchange.soleKey = access.soleKey
  exchange.key = access.key
  exchange.otherKeys = access.otherKeys
  exchange.queryKeys = access.queryKeys
  return undefined
}
