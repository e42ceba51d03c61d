import { describe, test } from 'node:test'
import fc from 'fast-check'
import { KEY } from './repetitions.ts'
import { CONFIGURATIONS, repeatedHeads } from './targets/repeated-heads.ts'

test(repeatedHeads.about, async () => {
  await fc.assert(
    fc.asyncProperty(repeatedHeads.values(1), async (value) => void (await repeatedHeads.check(value))),
    { numRuns: 400 },
  )
})

describe('nor does it become anything else for a line that the path reads for its own reasons', () => {
  const page = 'Origin: https://page.example'
  for (const [method, fixed, one, other] of [
    ['POST', '', page, 'Origin: https://other.example'],
    ['OPTIONS', page, 'Access-Control-Request-Method: no method', 'Access-Control-Request-Method: GET'],
    [
      'OPTIONS',
      `${page}\r\nAccess-Control-Request-Method: GET`,
      'Access-Control-Request-Headers: no;name',
      'Access-Control-Request-Headers: x-a',
    ],
    ['POST', '', 'X-Forwarded-For: 198.51.100.1', 'X-Forwarded-For: 198.51.100.2'],
    ['POST', '', 'Forwarded: for=198.51.100.1', 'Forwarded: for=198.51.100.2'],
    ['POST', '', 'Cookie: a=b', `Cookie: a=${KEY}`],
    ['POST', '', 'X-Own: Token x', `X-Own: Token ${KEY}`],
    ['POST', '', 'X-Set: a', 'X-Set: b'],
    ['POST', '', 'x-request-id: a', `x-request-id: ${KEY}`],
  ] as const) {
    test(`${one.slice(0, one.indexOf(':'))}`, async () => {
      const request = (line: string): string =>
        [
          `${method} /up HTTP/1.1`,
          'Host: a',
          `x-fluxgate-key: ${KEY}`,
          ...(fixed === '' ? [] : [fixed]),
          line,
          '',
          '',
        ].join('\r\n')
      const how = { response: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', at: [], isStale: false, isChoked: false }
      const turns = [one, one, other, other, one, one].map((line) => ({ request: request(line), ...how }))
      for (const configuration of CONFIGURATIONS.keys()) {
        await repeatedHeads.check({ configuration, turns, reloads: [] })
      }
    })
  }
})
