import { createHmac } from 'node:crypto'
import { verifyJwt } from '../access/jwt.ts'
import { CAUSES } from '../cause.ts'
import { formatProblem, type LoadSuccess } from '../config/load.ts'
import type { JwtKey } from '../config/snapshot.ts'
import { quote } from '../observe/escape.ts'
import { loadGiven } from './given-configuration.ts'
import { readTokenOptions, type TokenWish } from './token-options.ts'
import { reportToken } from './token-report.ts'
import { type GivenOptions, usageError } from './usage.ts'

const REFUSED = 1
const USAGE = 2

/** Nothing longer than a request head could be a token. */
const MAX_INPUT_BYTES = 65_536
const MAX_IDS_TOLD = 20

/** `fluxgate token`: makes one or checks one; the exit code. */
export async function token(given: GivenOptions, stdin: NodeJS.ReadStream): Promise<number> {
  const now = Date.now() / 1000
  const options = readTokenOptions(given, now)
  if (typeof options === 'string') {
    process.stderr.write(usageError('token', options))
    return USAGE
  }
  const loaded = loadGiven(options.configPath)
  if (!loaded.ok) return fail(loaded.problems.map(formatProblem).join('\n'))
  if (options.check === undefined) return mint(options.wish, loaded, now)
  // One character for each byte, as the gateway has it.
  const text = options.check === '-' ? await readInput(stdin) : Buffer.from(options.check).toString('latin1')
  const { isTaken, lines } = reportToken(withoutScheme(text), loaded, now)
  process.stdout.write(`${lines.join('\n')}\n`)
  return isTaken ? 0 : REFUSED
}

/** Reading a token may take its time, if somebody has to find it first. */
async function readInput(stdin: NodeJS.ReadStream): Promise<string> {
  if (stdin.isTTY) process.stderr.write('Paste the token, then press Enter and Ctrl-D.\n')
  let text = ''
  for await (const chunk of stdin) {
    text += (chunk as Buffer).toString('latin1')
    if (text.length > MAX_INPUT_BYTES) break
  }
  return text
}

/** As it is copied out of a request. */
function withoutScheme(text: string): string {
  return text.trim().replace(/^(?:Authorization: *)?Bearer +/i, '')
}

function mint(wish: TokenWish, { configuration }: LoadSuccess, now: number): number {
  const { jwtKeys } = configuration.keys
  const ids = [...jwtKeys.keys()]
  const id = wish.id ?? (ids.length === 1 ? ids[0]! : undefined)
  const key = id === undefined ? undefined : jwtKeys.get(id)
  if (id === undefined || key === undefined) return fail(whichKey(wish.id, ids))
  const made = sign(id, key, wish, now)
  process.stdout.write(`${made}\n`)
  // It may be wanted as it is, for a test of what is refused.
  const found = verifyJwt(made, jwtKeys, now)
  if (typeof found === 'string') process.stderr.write(`note: the gateway refuses this token now: ${CAUSES[found]}\n`)
  return 0
}

function whichKey(id: string | undefined, ids: readonly string[]): string {
  if (ids.length === 0) return 'the configuration has no key under api_keys.jwt, and only such a key signs tokens'
  const shown = ids.slice(0, MAX_IDS_TOLD).map(quote).join(', ')
  const there = `there are ${shown}${ids.length > MAX_IDS_TOLD ? ` and ${ids.length - MAX_IDS_TOLD} more` : ''}`
  return id === undefined
    ? `several keys are configured, choose one by --id; ${there}`
    : `no key under api_keys.jwt has the id ${quote(id)}; ${there}`
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** RFC 7515 section 7.1, RFC 7519 section 4.1; what is undefined is not written. */
function sign(id: string, key: JwtKey, wish: TokenWish, now: number): string {
  const audiences = wish.audiences.length > 0 ? wish.audiences : key.audiences.slice(0, 1)
  const claims = {
    iss: wish.issuer ?? key.issuers[0],
    sub: wish.subject,
    aud: audiences.length > 1 ? audiences : audiences[0],
    nbf: wish.notBefore,
    exp: Number.isFinite(wish.expires) ? wish.expires : undefined,
    iat: Math.floor(now),
  }
  const signed = `${encode({ alg: 'HS256', typ: 'JWT', kid: id })}.${encode(claims)}`
  return `${signed}.${createHmac('sha256', key.secret).update(signed).digest('base64url')}`
}

function fail(text: string): number {
  process.stderr.write(`error: ${text}\n`)
  return USAGE
}
