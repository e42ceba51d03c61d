import { credentialOf } from '../access/credential.ts'
import { FIELD } from '../http/fields.ts'
import type { RequestHead, ResponseHead } from '../http/message.ts'
import type { Exchange } from './exchange.ts'

/**
 * Schemes that log a connection in, and not a request (RFC 4559 section 6; NTLM): what goes over it afterwards is taken as
 * that user's, whoever sends it. Only where the client's own login goes through can that happen. Such a connection belongs to
 * the client's connection from then on.
 */
const SCHEME = /(?:^|[\s,])(?:ntlm|negotiate|kerberos|nego2)(?:$|[\s,])/i

function names(head: RequestHead | ResponseHead, field: number): boolean {
  return head.lines.some((line) => line.field === field && SCHEME.test(head.text.slice(line.valueStart, line.valueEnd)))
}

/** The request logs its connection in. */
export function logsConnectionIn(exchange: Exchange): boolean {
  return exchange.upstream!.credential === 'pass' && names(exchange.head!, FIELD.authorization)
}

/** The upstream has begun to log the connection in. */
export function challengesConnection(exchange: Exchange, head: ResponseHead): boolean {
  return exchange.upstream!.credential === 'pass' && names(head, FIELD.wwwAuthenticate)
}

/**
 * Whose a login is: what opened the door, as it was sent. A signer's tokens are many people's, and the place of a key in the
 * configuration may be another key's after a reload.
 */
export function loginOwner(exchange: Exchange): string {
  const line = exchange.credentialLine
  return line === undefined ? exchange.key : credentialOf(exchange.head!.text, line)
}
