import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isValidHost } from '../../../src/http/host.ts'

const VALID = [
  'a',
  'A.example',
  'a.example.',
  'a:80',
  'a:',
  'a:0',
  'a:65535',
  'a:00080',
  '127.0.0.1:8080',
  'my_host',
  'a%20b',
  "!$&'()*+;=~",
  '[::1]',
  '[::1]:443',
  '[2001:DB8::1]',
  '[::ffff:127.0.0.1]',
]

const INVALID = [
  '',
  ':80',
  'a:65536',
  'a:123456',
  'a:-1',
  'a:+1',
  'a: 80',
  'a:80:80',
  'a b',
  'a/b',
  'a?b',
  'a#b',
  'a@b',
  'a,b',
  'a\\b',
  '"a"',
  'a%2',
  'a%zz',
  'é',
  'a\u00a0',
  '::1',
  '[::1',
  '::1]',
  '[]',
  '[::1]x',
  '[fe80::1%25eth0]',
  '[v1.x]',
  '[1.2.3.4]',
  '[12345::]',
]

for (const host of VALID) test(`${host} is a Host`, () => assert.ok(isValidHost(host)))
for (const host of INVALID) test(`${JSON.stringify(host)} is no Host`, () => assert.ok(!isValidHost(host)))
