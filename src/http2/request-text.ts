import type { Cause } from '../cause.ts'
import { IS_TOKEN, isToken, SP, TAB } from '../http/octets.ts'
import type { FieldList } from './hpack-decoder.ts'

/**
 * An HTTP/2 field list as the head of an HTTP/1.1 message, which is the form in which the path of a request judges and changes heads:
 * what is well-formed here is parsed by the same parser as any other, so that there is one judge of hosts, targets, lengths and keys.
 *
 * What HTTP/1.1 needs and HTTP/2 has not is written with capital letters, which no name of an HTTP/2 field can have: so it is
 * known where it has to go again.
 */
export const CHUNKED_LINE = 'Transfer-Encoding: chunked\r\n'
export const NO_CONTENT_LINE = 'Content-Length: 0\r\n'

/** Why a list is malformed (RFC 9113 section 8.1.1), and as much of it as its record shows. */
export interface Malformed {
  readonly cause: Cause
  readonly method: string
  readonly target: string
}

/** Methods whose requests say that they have no content (RFC 9110 section 8.6). */
const ANTICIPATES_CONTENT: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

interface Pseudo {
  method: string | undefined
  scheme: string | undefined
  authority: string | undefined
  path: string | undefined
}

/** The head of a request, with its empty line. `isWhole`: its stream ends with it. */
export function requestText(list: FieldList, isWhole: boolean): string | Malformed {
  const pseudo: Pseudo = { method: undefined, scheme: undefined, authority: undefined, path: undefined }
  const fieldsFrom = readPseudo(list, pseudo)
  const fault = fieldsFrom === -1 ? 'pseudo_header' : faultOfPseudo(pseudo)
  if (fault !== undefined) return malformed(pseudo, fault)
  const { method, authority, path } = pseudo as { method: string; authority: string | undefined; path: string }
  let text = `${method} ${path ?? authority} HTTP/1.1\r\n${authority === undefined ? '' : `host: ${authority}\r\n`}`
  let hasLength = false
  const { names, values, count } = list
  for (let i = fieldsFrom; i < count; i++) {
    const name = names[i]!
    const value = values[i]!
    const cause = faultOfField(name, value)
    if (cause !== undefined) return malformed(pseudo, cause)
    if (name === 'content-length') {
      hasLength = true
      // No content can come, and some is announced.
      if (isWhole && value !== '0') return malformed(pseudo, 'content_length')
    } else if (name === 'host' && authority !== undefined) {
      if (value !== authority) return malformed(pseudo, 'authority')
      // It says what `:authority` says.
      continue
    }
    text += `${name}: ${value}\r\n`
  }
  if (!hasLength) {
    if (!isWhole) text += CHUNKED_LINE
    else if (ANTICIPATES_CONTENT.has(method)) text += NO_CONTENT_LINE
  }
  return `${text}\r\n`
}

function malformed({ method, path }: Pseudo, cause: Cause): Malformed {
  return { cause, method: shown(method), target: shown(path) }
}

/** Nothing that could not stand in a request line gets into a record. */
function shown(text: string | undefined): string {
  return text !== undefined && isVisible(text) ? text : ''
}

/** Returns where the fields begin; -1: one is unknown, there twice, or stands behind a field. */
function readPseudo({ names, values, count }: FieldList, pseudo: Pseudo): number {
  let fieldsFrom = 0
  while (fieldsFrom < count && names[fieldsFrom]!.charCodeAt(0) === COLON) {
    const value = values[fieldsFrom]!
    switch (names[fieldsFrom++]) {
      case ':method':
        if (pseudo.method !== undefined) return -1
        pseudo.method = value
        break
      case ':scheme':
        if (pseudo.scheme !== undefined) return -1
        pseudo.scheme = value
        break
      case ':authority':
        if (pseudo.authority !== undefined) return -1
        pseudo.authority = value
        break
      case ':path':
        if (pseudo.path !== undefined) return -1
        pseudo.path = value
        break
      default:
        return -1
    }
  }
  return fieldsFrom
}

const COLON = 0x3a

/** RFC 9113 section 8.3.1. */
function faultOfPseudo({ method, scheme, authority, path }: Pseudo): Cause | undefined {
  if (method === undefined || !isToken(method)) return 'pseudo_header'
  if (authority !== undefined && (authority === '' || !isVisible(authority))) return 'host'
  if (method === 'CONNECT') {
    return path === undefined && scheme === undefined && authority !== undefined ? undefined : 'pseudo_header'
  }
  if (scheme !== 'http' && scheme !== 'https') return 'pseudo_header'
  // A path, or `*`: nothing that could pass for a whole URL.
  if (path === undefined || (path.charCodeAt(0) !== SLASH && path !== '*') || !isVisible(path)) return 'pseudo_header'
  return undefined
}

const SLASH = 0x2f

function isVisible(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const octet = text.charCodeAt(i)
    if (octet <= SP || octet === 0x7f) return false
  }
  return true
}

/** RFC 9113 sections 8.2.1 and 8.2.2. */
export function faultOfField(name: string, value: string): Cause | undefined {
  if (!isLowerCaseToken(name)) return name.charCodeAt(0) === COLON ? 'pseudo_header' : 'field_name'
  if (!isFieldValue(value)) return 'field_value'
  switch (name) {
    case 'connection':
    case 'proxy-connection':
    case 'keep-alive':
    case 'transfer-encoding':
    case 'upgrade':
      return 'connection_field'
    case 'te':
      return value === 'trailers' ? undefined : 'connection_field'
    default:
      return undefined
  }
}

function isLowerCaseToken(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const octet = name.charCodeAt(i)
    if (IS_TOKEN[octet] !== 1 || (octet >= 0x41 && octet <= 0x5a)) return false
  }
  return name !== ''
}

/** No controls but the tab, and no blank at either end. */
function isFieldValue(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const octet = value.charCodeAt(i)
    if ((octet < SP && octet !== TAB) || octet === 0x7f) return false
  }
  return value === '' || (!isBlankOctet(value.charCodeAt(0)) && !isBlankOctet(value.charCodeAt(value.length - 1)))
}

function isBlankOctet(octet: number): boolean {
  return octet === SP || octet === TAB
}
