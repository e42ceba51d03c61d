import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseForm } from '../../../../src/tools/stand-in/multipart.ts'

const TYPE = 'multipart/form-data; boundary=B'
const form = (...lines: string[]) => Buffer.from(lines.join('\r\n'))

test('finds the parts of a form, empty ones too', () => {
  const body = form(
    '--B',
    'Content-Disposition: form-data; name="purpose"',
    '',
    'user_data',
    '--B',
    'content-type: text/plain',
    'content-disposition: form-data; name="file"; filename="a;b.txt"',
    '',
    '',
    '--B--',
    '',
  )
  for (const type of [TYPE, 'Multipart/Form-Data; charset=x; boundary="B"']) {
    const parts = parseForm(type, body)?.map((part) => [part.name, part.filename, part.content.toString()])
    assert.deepEqual(parts, [
      ['purpose', undefined, 'user_data'],
      ['file', 'a;b.txt', ''],
    ])
  }
})

test('takes nothing else for a form', () => {
  const field = ['--B', 'Content-Disposition: form-data; name="file"', '', 'x']
  assert.equal(parseForm('application/json', form(...field, '--B--')), undefined)
  assert.equal(parseForm(undefined, form(...field, '--B--')), undefined)
  assert.equal(parseForm(TYPE, form(...field)), undefined, 'no close delimiter')
  assert.equal(parseForm(TYPE, Buffer.alloc(0)), undefined)
  assert.deepEqual(parseForm(TYPE, form('--B', 'no head', '--B--')), [])
})
