import assert from 'node:assert/strict'
import { once } from 'node:events'
import { linkSync, mkdtempSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { bindUnix, takeAway } from '../../../src/listener/unix-socket.ts'

const NOWHERE = { path: '/nowhere/x.sock', file: undefined }

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

test('a stale file that another has replaced since it was found is no longer stale', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'fg-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const socket = path.join(folder, 'x')
  const dead = net.createServer().listen(path.join(folder, 'dead'))
  await once(dead, 'listening')
  linkSync(path.join(folder, 'dead'), socket)
  dead.close()
  await once(dead, 'close')

  const rival = net.createServer((accepted) => accepted.end('rival'))
  const { connect } = net
  let probes = 0
  const probing = t.mock.method(net, 'connect', (to: net.IpcNetConnectOpts) => {
    const probe = connect(to)
    // The file may well get the number of the one that goes.
    if (++probes === 2) {
      probe.once('error', () => {
        unlinkSync(socket)
        rival.listen(socket)
      })
    }
    return probe
  })
  const bound = await bindUnix(socket, 0o600, () => {})
  probing.mock.restore()
  assert.deepEqual(bound, { ok: false, error: 'another process has just taken this path' })
  const [answer] = (await once(net.connect({ path: socket }), 'data')) as [Buffer]
  assert.equal(`${answer}`, 'rival')
  rival.close()
  await once(rival, 'close')
  assert.deepEqual(readdirSync(folder), [])
})

test('a file that has the name under which a socket is born is left alone', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'fluxgate-test-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const random = 0.123_456_789
  t.mock.method(Math, 'random', () => random)
  // Every name that could be meant.
  const letters = random.toString(36).slice(2).padEnd(12, '0')
  const names = Array.from({ length: letters.length }, (_, nth) => letters.slice(0, nth + 1))
  for (const name of names) writeFileSync(path.join(folder, name), name)
  const bound = await bindUnix(path.join(folder, 'gateway.sock'), 0o600, () => {})
  if (bound.ok) bound.server.close()
  assert.equal(bound.ok, false, 'the name is taken')
  assert.deepEqual(readdirSync(folder), names)
  for (const name of names) assert.equal(readFileSync(path.join(folder, name), 'utf8'), name)
})

test('a socket with a name of one letter is bound, whatever name it is born under', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'fluxgate-test-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const letter of '0123456789abcdefghijklmnopqrstuvwxyz') {
    t.mock.method(Math, 'random', () => Number.parseInt(letter, 36) / 36)
    const bound = await bindUnix(path.join(folder, letter), 0o600, () => {})
    assert.ok(bound.ok, letter)
    bound.server.close()
    rmSync(path.join(folder, letter))
  }
})
