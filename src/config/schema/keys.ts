/** `api_keys`: who may use the gateway. */
import * as v from 'valibot'
import { DEFAULTS } from './defaults.ts'
import { flag, oneOrMore, patterned, secret, text } from './values.ts'

export const staticKey = v.pipe(
  v.strictObject(
    {
      key: v.optional(secret('The key that clients send. Either this or `key_sha256`.')),
      key_sha256: v.optional(
        patterned(
          /^[0-9a-fA-F]{64}$/,
          'must be the SHA-256 of a key: 64 hex digits, in quotes',
          "The key's SHA-256 in hex, as `fluxgate hash-key` prints it, so that the file holds no key.",
        ),
      ),
      id: v.optional(text('The name that the log shows for the key, unique. Default: its place, such as `static[0]`.')),
      upstreams: v.optional(
        v.pipe(
          v.array(text('The name of an upstream.'), 'must be a list of names of upstreams'),
          v.description('Names of the upstreams that the key opens. Absent or empty: all.'),
        ),
      ),
    },
    'must be a mapping with key or key_sha256',
  ),
  v.description('A key that is compared as it is.'),
)

const MAX_LEEWAY_MS = 60_000
const LEEWAY = `must be an integer of milliseconds from 0 to ${MAX_LEEWAY_MS}`

export const jwtKey = v.pipe(
  v.strictObject(
    {
      id: text('What the `kid` of a token must be, and the name that the log shows; unique.'),
      key: secret('The shared key of HS256, at least 32 bytes.'),
      audience: v.optional(
        oneOrMore(
          'What the `aud` of a token must be, or have in it: a text, or a list of which one is enough. Default: any.',
        ),
      ),
      issuer: v.optional(
        oneOrMore('What the `iss` of a token must be: a text, or a list of which it must be one. Default: any.'),
      ),
      require_exp: v.optional(flag('Refuse a token without `exp`, which would never end.'), DEFAULTS.require_exp),
      leeway_ms: v.optional(
        v.pipe(
          v.number(LEEWAY),
          v.integer(LEEWAY),
          v.minValue(0, LEEWAY),
          v.maxValue(MAX_LEEWAY_MS, LEEWAY),
          v.description(
            `How far clocks may differ: for so long a token is taken before its \`nbf\` and after its \`exp\`. From 0 to ${MAX_LEEWAY_MS}.`,
          ),
        ),
        DEFAULTS.leeway_ms,
      ),
      upstreams: v.optional(
        v.pipe(
          v.array(text('The name of an upstream.'), 'must be a list of names of upstreams'),
          v.description('Names of the upstreams that a token of this key opens. Absent or empty: all.'),
        ),
      ),
    },
    'must be a mapping with id and key',
  ),
  v.description('A key that verifies JSON Web Tokens (HS256).'),
)

export const apiKeys = v.pipe(
  v.strictObject({
    static: v.optional(
      v.pipe(v.array(staticKey, 'must be a list of keys'), v.description('Keys that are compared as they are.')),
    ),
    jwt: v.optional(
      v.pipe(v.array(jwtKey, 'must be a list of keys'), v.description('Keys that verify JSON Web Tokens (HS256).')),
    ),
  }),
  v.description('Who may use the gateway. Without keys and without `allow_anonymous`, every request is 401.'),
)
