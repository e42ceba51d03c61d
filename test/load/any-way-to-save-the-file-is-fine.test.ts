import assert from 'node:assert/strict'
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { get, ok } from '../support/bytes.ts'
import { Watch } from '../support/deadline.ts'
import { CLIENT_KEY, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Load, startLoad } from '../support/load.ts'
import { type OriginRequest, startOrigin } from '../support/origin.ts'

/**
 * Block YAML, and the key at its end: after every line but the last one it is a valid configuration of which some part is
 * missing, so that whoever takes a half-written file turns requests away.
 */
const configuration = (generation: number, originUrl: string): string =>
  [
    'version: 1',
    'server:',
    '  bind_address: 127.0.0.1:0',
    'upstreams:',
    '  up:',
    '    request_path: /up',
    `    target_url: ${originUrl}/${generation}`,
    '    api_key: sk-provider',
    'api_keys:',
    '  static:',
    `    - key: ${CLIENT_KEY}`,
    '',
  ].join('\n')

/** A gateway under load, its upstream, and a way to wait for the first request that a generation has served. */
async function underLoad(
  body: (parts: {
    gateway: RunningGateway
    load: Load
    text: (generation: number) => string
    /** Resolves when this generation serves. */
    live: (generation: number) => Promise<void>
  }) => Promise<void>,
): Promise<void> {
  const served = new Set<number>()
  const watch = new Watch()
  await using origin = await startOrigin(async ({ target, connection }: OriginRequest) => {
    await connection.write(ok('fine'))
    served.add(Number(target.split('/')[1]))
    watch.notice()
  })
  const text = (generation: number): string => configuration(generation, origin.url)
  await using gateway = await startGateway(text(0), { env: { FLUXGATE_LOG: 'info' } })
  using load = await startLoad({
    port: gateway.port,
    connections: 16,
    perSecond: 500,
    request: (n) => get(`/up/${n}`),
  })
  await load.untilMore(50)
  const times: number[] = []
  const live = async (generation: number): Promise<void> => {
    const from = performance.now()
    await watch.until(() => served.has(generation), `generation ${generation}`)
    times.push(performance.now() - from)
  }
  await body({ gateway, load, text, live })
  await load.untilMore(50)
  await load.stop()
  assert.deepEqual(load.failures, [])
  assert.equal(load.ended, 0, 'no connection was dropped')
  // Most of them: one or the other may meet a machine that is busy with other things.
  assert.ok(times.length >= 5 && times.toSorted((a, b) => a - b)[times.length >> 1]! < 1000, `${times}`)
}

test('..data swapped, as Kubernetes does it: each swap is live within a second, and no request fails', () =>
  underLoad(async ({ gateway, load, text, live }) => {
    const at = (name: string): string => path.join(gateway.directory, name)
    /** A folder with the new files, and `..data` made to point there in one step; the folder of before goes at once. */
    function publish(generation: number): void {
      mkdirSync(at(`..${generation}`))
      writeFileSync(at(`..${generation}/fluxgate.yaml`), text(generation))
      symlinkSync(`..${generation}`, at('..data_tmp'))
      renameSync(at('..data_tmp'), at('..data'))
      rmSync(at(`..${generation - 1}`), { recursive: true, force: true })
    }
    publish(1)
    symlinkSync('..data/fluxgate.yaml', at('link'))
    renameSync(at('link'), gateway.configPath)
    await live(1)
    for (let generation = 2; generation <= 10; generation++) {
      await load.untilMore(20)
      publish(generation)
      await live(generation)
    }
    assert.ok(!/WARN|ERROR/.test(gateway.log()), gateway.log())
  }))

const pause = new Int32Array(new SharedArrayBuffer(4))

/** Truncated, and written line by line, with a moment between two writes as a slow disk would have it. */
function writeSlowly(file: string, text: string, momentMs: number): void {
  const descriptor = openSync(file, 'r+')
  ftruncateSync(descriptor)
  for (const line of text.split(/^/m)) {
    writeSync(descriptor, line)
    Atomics.wait(pause, 0, 0, momentMs)
  }
  closeSync(descriptor)
}

test('files written in place, in pieces: never half of one in force', () =>
  underLoad(async ({ gateway, load, text, live }) => {
    for (let generation = 1; generation <= 12; generation++) {
      await load.untilMore(20)
      // 11 pieces: 55 ms in all, and the gateway looks every 25 ms or so as soon as it has seen the first one.
      writeSlowly(gateway.configPath, text(generation), 5)
      await live(generation)
    }
    assert.ok(!/WARN|ERROR/.test(gateway.log()), gateway.log())
  }))

test('a writer that dies in the middle: reported, and the configuration of before goes on', () =>
  underLoad(async ({ gateway, load, text, live }) => {
    for (let generation = 1; generation <= 5; generation++) {
      await load.untilMore(20)
      const whole = text(generation)
      writeFileSync(gateway.configPath, whole.slice(0, whole.indexOf('target_url') + 10 + generation))
      await gateway.waitForLog(
        'Configuration file changed but validation failed; keeping previous settings',
        generation,
      )
      await load.untilMore(100)
      writeFileSync(gateway.configPath, whole)
      await live(generation)
    }
  }))

test('the file deleted and made again: the configuration of before goes on meanwhile', () =>
  underLoad(async ({ gateway, load, text, live }) => {
    for (let generation = 1; generation <= 5; generation++) {
      await load.untilMore(20)
      rmSync(gateway.configPath)
      // Every other time it is back before anybody has to be told.
      if (generation % 2 === 0) {
        await gateway.waitForLog('Configuration file not found during polling', generation / 2)
        await load.untilMore(100)
      } else {
        await load.untilMore(10)
      }
      writeFileSync(gateway.configPath, text(generation))
      await live(generation)
    }
    // Gone and back with nothing new: nothing happens.
    rmSync(gateway.configPath)
    await gateway.waitForLog('Configuration file not found during polling', 3)
    writeFileSync(gateway.configPath, text(5))
    await load.untilMore(250) // half a second, several looks
    writeFileSync(`${gateway.configPath}.new`, text(6))
    renameSync(`${gateway.configPath}.new`, gateway.configPath)
    await live(6)
    writeFileSync(gateway.configPath, 'version: 0')
    await gateway.waitForLog('Configuration file changed but validation failed')
    assert.equal(gateway.log().split('reloaded automatically').length - 1, 6)
  }))
