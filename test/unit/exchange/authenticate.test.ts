import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { authenticate } from '../../../src/exchange/authenticate.ts'
import { exchangeOf, GATEWAY_KEY as K, OTHER_KEY, snapshot } from './exchange-of.ts'

/** The name of who is let in with these field lines, or the refusal. */
function who(...fields: string[]): string {
  const exchange = exchangeOf(['GET /up HTTP/1.1', 'Host: a', ...fields, '', ''].join('\r\n'), snapshot(false))
  return authenticate(exchange) ?? exchange.identity!.name
}

describe('a client is', () => {
  for (const [fields, expected] of [
    [[], 'unauthorized'],
    [[`Authorization: Bearer ${K}`], 'client'],
    [[`Authorization: bearer ${K}`], 'client'],
    [[`AUTHORIZATION:BEARER    ${K}   `], 'client'],
    [[`x-api-key: ${K}`], 'client'],
    [[`api-key:${K}`], 'client'],
    [[`X-Goog-Api-Key: ${K}`], 'client'],
    [[`x-fluxgate-key: ${OTHER_KEY}`], 'other'],
    [[`x-fluxgate-key: ${K}`, 'Authorization: Basic eA=='], 'client'],
    [[`x-api-key: ${K}`, 'Authorization: Basic eA=='], 'client'],
    [[`x-api-key: ${K}`, 'api-key: own', 'Authorization: Bearer own'], 'client'],
    [[`x-api-key: ${K}`, `api-key: ${K}`], 'client'],
    [['x-api-key: schl\xc3\xbcssel'], 'umlaut'],
    [['x-api-key: schl\xfcssel'], 'unauthorized'],
    [[`x-api-key: ${K}`, `api-key: ${OTHER_KEY}`], 'unauthorized'],
    [[`Authorization: Bearer ${K}`, `Authorization: Bearer ${K}`], 'unauthorized'],
    [['Authorization: Basic a', 'Authorization: Basic b', `x-api-key: ${K}`], 'unauthorized'],
    [[`Authorization: ${K}`], 'unauthorized'],
    [[`Authorization: Basic ${K}`], 'unauthorized'],
    [[`Authorization: Bearer\t${K}`], 'unauthorized'],
    [[`Authorization: Bearer${K}`], 'unauthorized'],
    [['Authorization: Bearer'], 'unauthorized'],
    [['Authorization:'], 'unauthorized'],
    [['x-api-key:'], 'unauthorized'],
    [[`x-api-key: Bearer ${K}`], 'unauthorized'],
    [[`x-api-key: ${K.toUpperCase()}`], 'unauthorized'],
    [[`x-api-key: ${K}x`], 'unauthorized'],
    [[`x-api-key: ${K}, ${K}`], 'unauthorized'],
    [[`x_api_key: ${K}`], 'unauthorized'],
    [[`Cookie: x-api-key=${K}`], 'unauthorized'],
  ] as const) {
    test(`${expected} with ${fields.join(' | ') || 'nothing'}`, () => assert.equal(who(...fields), expected))
  }
})
