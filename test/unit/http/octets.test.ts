import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HEX_VALUE, IS_TOKEN, isFieldValueOctet } from '../../../src/http/octets.ts'

const OCTETS = Array.from({ length: 256 }, (_, octet) => octet)

function pick(matches: (octet: number) => boolean): string {
  return String.fromCharCode(...OCTETS.filter(matches))
}

test('token octets are those of RFC 9110 section 5.6.2', () => {
  assert.equal(pick((octet) => IS_TOKEN[octet] === 1).replace(/[0-9A-Za-z]/g, ''), "!#$%&'*+-.^_`|~")
  assert.match(
    pick((octet) => IS_TOKEN[octet] === 1),
    /0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.*abcdefghijklmnopqrstuvwxyz/,
  )
})

test('field value octets are all but controls, and tab', () => {
  const refused = pick((octet) => !isFieldValueOctet(octet))
  assert.equal(refused.length, 32)
  assert.match(refused, /^[\0-\x08\x0a-\x1f\x7f]+$/)
})

test('hexadecimal digits have their values, in both cases, and nothing else has one', () => {
  for (const octet of OCTETS) {
    const text = String.fromCharCode(octet)
    assert.equal(HEX_VALUE[octet], /[0-9A-Fa-f]/.test(text) ? Number.parseInt(text, 16) : -1)
  }
})
