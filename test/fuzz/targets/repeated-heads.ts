import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createRouteTable } from '../../../src/config/route-table.ts'
import type { Identity, OwnField, Snapshot, Upstream } from '../../../src/config/snapshot.ts'
import { type AddressRange, parseRange } from '../../../src/http/address.ts'
import { createFieldRules } from '../../../src/http/field-rules.ts'
import { jwtKey } from '../../support/tokens.ts'
import { sha256, upstream as upstreamWith } from '../../unit/exchange/exchange-of.ts'
import { OneConnection, type Turn } from '../one-connection.ts'
import {
  COLON_KEY,
  DIGITS_KEY,
  KEY,
  OTHER_KEY,
  requestMessage,
  responseMessage,
  SECRET,
  step,
  turns,
} from '../repetitions.ts'
import type { ValueTarget } from '../target.ts'

/*
 * A head that repeats the one before it on its connection is neither parsed nor judged again. Nobody must be able to tell: what
 * goes to the upstream, to the client and into the log is what it would be if each message had come on a connection of its own.
 */

const OWN: OwnField = { field: 'X-Own', name: 'x-own', scheme: 'Token' }

const UPSTREAM = upstreamWith({
  target: { scheme: 'http', host: 'api.example', port: 80, authority: 'api.example', basePath: '/base' },
  endpoint: '',
  connectTimeoutMs: 600_000,
  responseTimeoutMs: 600_000,
  idleTimeoutMs: 600_000,
  keepAliveTimeoutMs: 600_000,
  maxConnectionAgeMs: 600_000,
})

function configuration(
  changes: Partial<Upstream>,
  server: Partial<Snapshot['server']> = {},
  isAnonymous = false,
): Snapshot {
  const upstream = { ...UPSTREAM, ...changes }
  const routes = createRouteTable([upstream])
  const identity = (name: string): Identity => ({ name, routes })
  const keys = [KEY, OTHER_KEY, DIGITS_KEY, COLON_KEY]
  return {
    generation: 1,
    isDefault: false,
    server: {
      bindAddress: { host: '127.0.0.1', port: 0, text: '127.0.0.1:0' },
      cors: undefined,
      maxConnections: 1,
      workers: 1,
      tls: undefined,
      headTimeoutMs: 600_000,
      bodyTimeoutMs: 600_000,
      keepAliveTimeoutMs: 600_000,
      shutdownTimeoutMs: undefined,
      shutdownDelayMs: 0,
      socketMode: 0o660,
      proxyProtocol: undefined,
      trustedProxies: undefined,
      ...server,
    },
    anonymous: isAnonymous ? identity('') : undefined,
    keys: {
      staticKeys: new Map(isAnonymous ? [] : keys.map((key, i) => [sha256(key), identity(`key ${i}`)])),
      jwtKeys: new Map([['k', jwtKey(SECRET, identity('signer'))]]),
    },
    upstreams: [upstream],
    withQueryKeys: upstream.takesQueryKeys ? [upstream] : [],
    takesUpgrades: upstream.takesUpgrades,
    admin: undefined,
    ledger: undefined,
    prices: [],
    priceTable: undefined,
    keyNames: () => [],
    withOwnField: typeof upstream.credential === 'object' ? [{ ...upstream, credential: upstream.credential }] : [],
  }
}

const fields = createFieldRules({
  remove: ['user-agent', 'x-stainless-*'],
  set: [{ name: 'X-Set', value: 'set' }],
  keep: ['x-api-key'],
})
const trustedProxies = { ranges: [parseRange('192.0.2.0/24') as AddressRange], hasUnix: false }

/** The ways in which an operator can have a head changed, or read. */
export const CONFIGURATIONS: readonly Snapshot[] = [
  configuration({}),
  configuration({ credential: 'pass', apiKey: undefined }),
  configuration({ credential: OWN }),
  configuration({ credential: OWN }, {}, true),
  configuration({ fields }),
  configuration({ credential: 'bearer', rewritesLocation: true }),
  configuration({}, {}, true),
  configuration({}, { cors: { allowOrigins: ['https://page.example'] } }),
  configuration({ credential: 'x-api-key' }, { trustedProxies }),
  configuration({ takesQueryKeys: true, takesUpgrades: true, rewritesUploadUrl: true }),
  configuration({ takesQueryKeys: true, takesUpgrades: true }, {}, true),
]

export interface Repetitions {
  readonly configuration: number
  readonly turns: readonly Turn[]
  /** Which one is in force from a turn on. */
  readonly reloads: readonly (readonly [turn: number, configuration: number])[]
}

const anyConfiguration = fc.nat(CONFIGURATIONS.length - 1)

export const repeatedHeads: ValueTarget<Repetitions> = {
  name: 'repeated-heads',
  about: 'a head that repeats another one of its connection becomes what it would become alone',
  values: (scale) =>
    fc
      .tuple(
        anyConfiguration,
        requestMessage,
        responseMessage,
        fc.array(step, { minLength: 2, maxLength: 5 + 3 * scale }),
        fc.array(fc.tuple(fc.nat(8), anyConfiguration), { maxLength: 2 }),
      )
      .map(([index, request, response, steps, reloads]) => ({
        configuration: index,
        turns: turns(request, response, steps),
        reloads,
      })),
  async check({ configuration: index, turns: all, reloads }) {
    let snapshot = CONFIGURATIONS[index]!
    const one = new OneConnection(snapshot)
    let compared = 0
    try {
      for (const turn of all) {
        for (const [from, next] of reloads) {
          if (from === compared) snapshot = { ...CONFIGURATIONS[next]!, generation: snapshot.generation + 1 }
        }
        one.path.snapshot = snapshot
        const alone = new OneConnection(snapshot)
        const expected = await alone.say(turn)
        const isReady = await alone.isReady()
        alone.close()
        assert.deepEqual(await one.say(turn), expected, `turn ${compared}`)
        compared++
        if (!isReady) await one.hangUp()
      }
    } finally {
      one.close()
    }
    return `${compared}`
  },
}
