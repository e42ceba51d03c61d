import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe } from 'node:test'
import { memberNames, nestingDepth } from '../../src/access/json-members.ts'
import { verifyJwt } from '../../src/access/jwt.ts'
import type { JwtKey } from '../../src/config/snapshot.ts'
import { growsWithItsInput } from '../support/growth.ts'
import { identityOf, jwtKey } from '../support/tokens.ts'

/** Of JSON, so that the token around it stays below its limit of 16 KiB. */
const JSON_BYTES = 11_600

/** The largest token that is looked at. */
const TOKEN_BYTES = 16_384

const HEADER = '{"alg":"HS256","typ":"JWT","kid":"k"'
const secret = Buffer.alloc(32)

const encode = (text: string): string => Buffer.from(text).toString('base64url')

function sign(header: string, claims: string): string {
  const signed = `${encode(header)}.${encode(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

const KEY = jwtKey(secret, identityOf('k'))

/** The key of every token here, in a ring of its own: what another ring has verified it does not remember. */
class Ring extends Map<string, JwtKey> {
  asked = 0

  constructor() {
    super([['k', KEY]])
  }

  override get(kid: string): JwtKey | undefined {
    this.asked++
    return super.get(kid)
  }
}

/** Whose the token is, and whether its key was looked for: that comes after its header. */
function judge(token: string): { name: string | undefined; asked: number } {
  const ring = new Ring()
  return { name: nameIn(token, ring), asked: ring.asked }
}

function nameIn(token: string, ring: Ring): string | undefined {
  const found = verifyJwt(token, ring, 0)
  return typeof found === 'string' ? undefined : found.name
}

/** More members of an object, about as many bytes of them; no name comes twice. */
const MEMBERS: Record<string, (bytes: number) => string> = {
  numbers: (bytes) => many(bytes, (name) => `,"${name}":1`),
  'escaped names': (bytes) => many(bytes, (name) => `,"\\"${name}\\u0061":""`),
  brackets: (bytes) => many(bytes, (name) => `,"${name}":[{}]`),
  'one long text': (bytes) => `,"b":"${'\\u0061\\"'.repeat(bytes / 8)}"`,
  'one long name': (bytes) => `,"${'\\u0061\\"'.repeat(bytes / 8)}":0`,
}

function many(bytes: number, write: (name: string) => string): string {
  // Short names make many members.
  let members = ''
  for (let i = 0; members.length < bytes - 20; i++) members += write(i.toString(36))
  return members
}

describe('the work of a token grows with its bytes', () => {
  for (const [what, members] of Object.entries(MEMBERS)) {
    const token: Record<string, [write: (bytes: number) => string, name: string | undefined]> = {
      'in its claims': [(bytes) => sign(`${HEADER}}`, `{"#":0${members(bytes)}}`), 'k'],
      // A name that comes twice is found when all of them are known.
      'in its claims, the first name once more': [
        (bytes) => sign(`${HEADER}}`, `{"#":0${members(bytes)},"\\u0023":0}`),
        undefined,
      ],
      'in its header': [(bytes) => sign(`${HEADER}${members(bytes)}}`, '{}'), 'k'],
      'in its header, with a wrong signature': [
        (bytes) => `${encode(`${HEADER}${members(bytes)}}`)}.e30.AAAA`,
        undefined,
      ],
    }
    for (const [where, [write, name]] of Object.entries(token))
      growsWithItsInput(
        `${what} ${where}`,
        JSON_BYTES,
        (bytes) => {
          const written = write(bytes)
          return () => judge(written)
        },
        (reached, bytes) => {
          assert.deepEqual(reached, { name, asked: 1 })
          assert.ok(write(bytes).length > bytes)
        },
      )
  }

  // What is not even three parts is refused before its key is looked for, and only its end says so.
  for (const [what, start, filling, end] of [
    ['without parts', '', 'a', ''],
    ['with one part', '', 'a', '.'],
    ['with a stray octet', 'a.', 'a', '.a!'],
    ['of dots', '', '.', ''],
    ['of many parts', '', 'a.', 'a'],
  ] as const)
    growsWithItsInput(
      `what is no token, ${what}`,
      TOKEN_BYTES,
      (bytes) => {
        const text = start + filling.repeat((bytes - 8) / filling.length) + end
        const ring = new Ring()
        return () => ({ name: nameIn(text, ring), asked: ring.asked, length: text.length })
      },
      ({ length, ...reached }, bytes) => {
        assert.deepEqual(reached, { name: undefined, asked: 0 })
        assert.ok(length > bytes * 0.9 && length <= bytes)
      },
    )

  growsWithItsInput(
    'names',
    60_000,
    (bytes) => {
      const json = `{${Array.from({ length: bytes / 8 }, (_, i) => `"${i}":[]`).join(',')}}`
      return () => memberNames(json).length
    },
    (names, bytes) => assert.equal(names, bytes / 8),
  )
  growsWithItsInput(
    'nesting',
    60_000,
    (bytes) => {
      const json = '['.repeat(bytes)
      return () => nestingDepth(json)
    },
    (depth, bytes) => assert.equal(depth, bytes),
  )
})
