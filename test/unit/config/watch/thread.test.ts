/** Threads made for the test in the place of the real one, and a clock that only moves when it is told to. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import { BroadcastChannel } from 'node:worker_threads'
import { type LoadedSettings, loadSettings } from '../../../../src/config/load.ts'
import type { Death } from '../../../../src/config/watch/spawn.ts'
import { stateAfterStart, type WatchEvent, type WatchState } from '../../../../src/config/watch/state.ts'
import { startWatchThread } from '../../../../src/config/watch/thread.ts'
import { Watch } from '../../../support/deadline.ts'
import { createFolder } from '../configuration-folder.ts'
import { HandClock } from './hand-clock.ts'

const STATE: WatchState = { sources: [], applied: 'the start', condition: undefined }
const entry = (name: string) => new URL(`${name}-thread.ts`, import.meta.url)

/** `entries`: of its threads, one after the other; those that follow answer. */
function scripted(t: TestContext, entries: URL[] = []) {
  const path = randomUUID()
  const clock = new HandClock()
  const notices = new Watch()
  const seen: string[] = []
  const channel = new BroadcastChannel(path)
  channel.onmessage = (event) => {
    seen.push(String((event as { data: unknown }).data))
    notices.notice()
  }
  const deaths: Death[] = []
  const thread = startWatchThread({
    path,
    clock,
    get entry() {
      return entries.shift() ?? entry('answering')
    },
  })
  thread.watch(STATE, { onEvent() {}, onDeath: (death) => void deaths.push(death) })
  t.after(() => {
    thread.close()
    channel.close()
  })
  // Whoever waits for it to be up waits no longer.
  clock.advance(1000)
  const until = (count: number) => notices.until(() => seen.length >= count, `${count} of ${seen.join()}`)
  return { thread, clock, seen, deaths, until, tell: (text: string) => channel.postMessage(text) }
}

describe('reloads that are asked for', () => {
  test('while one is under way are one more, after a pause', async (t) => {
    const { thread, clock, seen, until, tell } = scripted(t)
    for (let n = 0; n < 300; n++) thread.reloadNow()
    await until(2)
    for (let n = 0; n < 300; n++) thread.reloadNow()
    assert.deepEqual(seen, ['started with the start', 'asked'], 'before the thread was up, and lost by nobody')
    tell('through')
    await t.waitFor(() => assert.equal(clock.pending, 1), { timeout: 10_000 })
    clock.advance(249)
    thread.reloadNow()
    clock.advance(1)
    await until(3)
    tell('through')
    await t.waitFor(() => assert.equal(clock.pending, 1), { timeout: 10_000 })
    clock.advance(250)
    thread.reloadNow()
    await until(4)
    assert.deepEqual(seen.slice(1), ['asked', 'asked', 'asked'], 'and later ones are begun at once')
  })

  test('of a thread that retires are asked of the next one, which goes on where it stood', async (t) => {
    const { thread, clock, seen, deaths, until, tell } = scripted(t)
    await until(1)
    tell('retire')
    thread.reloadNow()
    await t.waitFor(() => assert.ok(seen.includes('started with from the one before')), { timeout: 10_000 })
    await t.waitFor(() => assert.equal(seen.at(-1), 'asked'), { timeout: 10_000 })
    assert.deepEqual([deaths, clock.pending], [[], 0])
  })

  test("after the end are nobody's", async (t) => {
    const { thread, seen, until } = scripted(t)
    await until(1)
    thread.close()
    thread.reloadNow()
    await new Promise(setImmediate)
    assert.equal(seen.length, 1)
  })
})

test('a thread that dies before anybody listens is told of as soon as somebody does', async (t) => {
  const { promise, resolve } = Promise.withResolvers<Death>()
  const clock = new HandClock()
  const thread = startWatchThread({ path: '', clock, entry: new URL('no-such-thread.ts', import.meta.url) })
  t.after(() => thread.close())
  // The wait for it to be up, and the restart.
  await t.waitFor(() => assert.equal(clock.pending, 2), { timeout: 10_000 })
  thread.watch(STATE, { onEvent() {}, onDeath: resolve })
  assert.match((await promise).error, /MODULE_NOT_FOUND/)
})

const NO_THREAD = new URL('http://localhost/')

test('a thread that cannot even be started is one that died', async (t) => {
  const { clock, seen, deaths, until, tell } = scripted(t, [NO_THREAD, NO_THREAD])
  await t.waitFor(() => assert.equal(deaths.length, 1), { timeout: 10_000 })
  assert.match(deaths[0]?.error ?? '', /file/)
  for (const pause of [250, 500]) {
    await t.waitFor(() => assert.equal(clock.pending, 1), { timeout: 10_000 })
    clock.advance(pause)
  }
  await until(1)
  tell('die')
  await t.waitFor(() => assert.equal(deaths.length, 2), { timeout: 10_000 })
  assert.deepEqual([seen, deaths[1]?.error], [['started with the start'], 'exit code 3'])
})

describe('a thread that is heavy', () => {
  const present = entry('answering')
  const NEXT = 'started with from the one before'

  test('makes way when the next one is up, which gets what is asked for meanwhile', async (t) => {
    const { thread, seen, deaths, until, tell } = scripted(t)
    await until(1)
    tell('heavy')
    await until(2)
    assert.equal(seen[1], 'retire')
    thread.reloadNow()
    tell('retire')
    await until(4)
    assert.deepEqual(seen, ['started with the start', 'retire', NEXT, 'asked'])
    assert.deepEqual(deaths, [])
  })

  test('stays if it cannot retire just now, and is asked again when it is heavy again', async (t) => {
    const { thread, seen, until, tell } = scripted(t)
    await until(1)
    tell('heavy')
    await until(2)
    thread.reloadNow()
    tell('staying')
    await until(3)
    tell('through')
    tell('heavy')
    await until(4)
    tell('retire')
    await until(5)
    assert.deepEqual(seen.slice(1), ['retire', 'asked', 'retire', NEXT])
  })

  test('is not asked to while it reloads', async (t) => {
    const { thread, seen, until, tell } = scripted(t)
    await until(1)
    tell('heavy')
    thread.reloadNow()
    await until(2)
    // Time enough for another thread to be up.
    await new Promise((resolve) => setTimeout(resolve, 300))
    tell('through')
    tell('heavy')
    await until(3)
    assert.deepEqual(seen.slice(1), ['asked', 'retire'])
  })

  for (const [what, next] of [
    ['cannot be started', NO_THREAD],
    ['dies before it is up', entry('no-such')],
  ] as const) {
    test(`goes on if the next one ${what}`, async (t) => {
      const { thread, clock, seen, deaths, until, tell } = scripted(t, [present, next])
      await until(1)
      tell('heavy')
      thread.reloadNow()
      await until(2)
      tell('through')
      await t.waitFor(() => assert.equal(clock.pending, 1), { timeout: 10_000 })
      clock.advance(250)
      // However long that takes, the one after it comes up.
      await t.waitFor(
        () => {
          if (!seen.includes('retire')) tell('heavy')
          assert.ok(seen.includes('retire'))
        },
        { timeout: 10_000 },
      )
      assert.deepEqual([seen.slice(0, 2), deaths], [['started with the start', 'asked'], []])
    })
  }

  test('is followed at once by the next one if it dies', async (t) => {
    const { clock, seen, deaths, until, tell } = scripted(t)
    await until(1)
    tell('heavy')
    await until(2)
    tell('die')
    await until(3)
    assert.deepEqual(seen.slice(2), ['started with the start'])
    assert.deepEqual([deaths.length, clock.pending], [1, 0])
  })
})

describe('a thread that dies', () => {
  for (const [path, error] of [
    ['exception', 'TypeError'],
    ['memory', 'ERR_WORKER_OUT_OF_MEMORY'],
    ['exit', 'exit code 3'],
  ] as const) {
    test(`of ${path}: is told once, without the exception's own words, and replaced after growing pauses`, async (t) => {
      const clock = new HandClock()
      const deaths: Death[] = []
      const thread = startWatchThread({
        path,
        clock,
        entry: entry('dying'),
        limits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
      })
      t.after(() => thread.close())
      clock.advance(1000)
      await thread.isUp()
      thread.watch(STATE, { onEvent() {}, onDeath: (death) => void deaths.push(death) })
      for (const pause of [250, 500, 1000]) {
        await t.waitFor(() => assert.equal(clock.pending, 1), { timeout: 10_000 })
        clock.advance(pause - 1)
        assert.equal(clock.pending, 1)
        clock.advance(1)
        assert.equal(clock.pending, 0)
      }
      await t.waitFor(() => assert.equal(clock.pending, 1), { timeout: 10_000 })
      assert.deepEqual(
        deaths.map((death) => death.error),
        [error],
      )
      assert.ok(!JSON.stringify(deaths).includes('secret'))
      assert.match(deaths[0]?.stack ?? 'at', /^at/)
    })
  }
})

test('the real thread sees a change that was made before it was up, and hands over plain data', async (t) => {
  const { file, write } = createFolder(t)
  write('fluxgate.yaml', 'version: 1\nserver: { max_connections: 1 }\n')
  const start = loadSettings(file, {}) as LoadedSettings
  write('fluxgate.yaml', 'version: 1\nserver: { max_connections: 2 }\nserve: {}\n')
  const { promise, resolve } = Promise.withResolvers<WatchEvent>()
  const { REAL_CLOCK } = await import('../../../../src/config/watch/clock.ts')
  const keepAlive = setTimeout(() => {}, 10_000)
  const thread = startWatchThread({
    path: file,
    clock: REAL_CLOCK,
  })
  await thread.isUp()
  thread.watch(stateAfterStart(start), { onEvent: resolve, onDeath: ({ error }) => assert.fail(error) })
  const event = await promise
  clearTimeout(keepAlive)
  thread.close()
  assert.ok(event.type === 'changed')
  assert.equal(event.settings.server.maxConnections, 2)
  assert.deepEqual(event.warnings, [`${file}:3:1: serve: unknown, did you mean server?`])
})
