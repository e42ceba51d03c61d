import assert from 'node:assert/strict'
import { test } from 'node:test'
import { takeAway } from '../../../src/listener/unix-socket.ts'

const NOWHERE = '/nowhere/x.sock'

test('a socket is left when two turns of the loop have brought nobody', async () => {
  // How many each look finds; a turn lies between the looks of a pair.
  const looks = [0, 1, 1, 1, 1, 2, 2, 2, 2, 2]
  let look = 0
  await takeAway(NOWHERE, () => looks[look++]!)
  assert.equal(look, looks.length)
})

test('one whose file is still found under another name is left as well, though clients keep coming', async () => {
  let accepted = 0
  await takeAway(NOWHERE, () => accepted++)
  assert.ok(accepted > 4_096, 'more than its queue can hold')
})
