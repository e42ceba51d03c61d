import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNotices, onceAMinute } from '../../../src/observe/once-a-minute.ts'

test('it is said once a minute, by all who share it together, with how often it was the case', (t) => {
  let seconds = 1000
  t.mock.method(process, 'hrtime', () => [seconds, 0])
  const notices = createNotices(2)
  const said: string[] = []
  const [here, there] = ['here', 'there'].map((place) =>
    onceAMinute((what: number, count) => said.push(`${place} ${what} ${count}`), notices, 1),
  )
  const other = onceAMinute((what: number, count) => said.push(`other ${what} ${count}`), notices, 0)
  here!(1)
  there!(2)
  here!(3)
  other(4)
  assert.deepEqual(said.splice(0), ['here 1 1', 'other 4 1'])
  seconds += 59
  there!(5)
  assert.deepEqual(said, [])
  seconds += 1
  there!(6)
  here!(7)
  assert.deepEqual(said, ['there 6 4'])
})
