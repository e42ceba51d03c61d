import assert from 'node:assert/strict'
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { CLIENT_KEY, NotAvailable, PREFIX, PROVIDER_KEY, prefixed } from '../../bench/contenders/contender.ts'
import { requestsOf, type Variation } from '../../bench/load/heads.ts'
import type { Posted, PostLoad } from '../../bench/load/post-clients.ts'
import { isInstalled } from '../../bench/machine/programs.ts'
import { type Result, resultOf } from '../../bench/report/results.ts'
import { judge } from '../../bench/report/targets.ts'
import { scenarios } from '../../bench/scenarios/all.ts'
import { type Figures, Shortfall } from '../../bench/scenarios/scenario.ts'

// A benchmark that measures something else than it says is worse than none.

const BENCH = resolve(import.meta.dirname, '../../bench')
const TARGET = { name: '', port: 0, path: prefixed.path, headers: prefixed.headers(0) }

const linesOf = (request: Buffer): string[] => request.toString('latin1').split('\r\n\r\n', 1)[0]!.split('\r\n')

/** What of the lines of all heads is the same, when each of these is taken out. */
function distinctHeads(variation: Variation, out: RegExp): number {
  const heads = requestsOf(TARGET, variation, 230).map((request) => linesOf(request).join('\n').replace(out, ''))
  return new Set(heads).size
}

test('heads differ in what their name says, and in nothing else', () => {
  assert.equal(distinctHeads('repeated', /$^/), 1)
  assert.ok(distinctHeads('length', /$^/) > 800)
  assert.equal(distinctHeads('length', /(?<=\ncontent-length: )\d{3}$/), 1)
  assert.ok(distinctHeads('field', /$^/) > 4000)
  assert.equal(distinctHeads('field', /\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-01(?=\n)/), 1)
  assert.equal(distinctHeads('sdk', /(?<=\ncontent-length: )\d{3}$/), 4)
})

for (const variation of ['repeated', 'length', 'field', 'sdk'] as const) {
  test(`requests are whole and carry the key once: ${variation}`, () => {
    for (const request of requestsOf(TARGET, variation, 230)) {
      const lines = linesOf(request)
      const content = request.toString('latin1').slice(lines.join('\r\n').length + 4)
      assert.equal(lines.at(-1), `content-length: ${content.length}`)
      assert.equal(lines.filter((line) => line === `Authorization: Bearer ${CLIENT_KEY}`).length, 1)
      JSON.parse(content)
    }
  })
}

/** Of `post`, whose target is a ratio; each round has what Fluxgate and nginx came to. */
function resultOfPosts(...rounds: readonly (readonly [ours: number | Error, nginx: number | Error])[]): Result {
  return resultTo('nginx', ...rounds)
}

function resultTo(yardstick: string, ...rounds: readonly (readonly [number | Error, number | Error])[]): Result {
  const found = (value: number | Error): Figures | Error => (value instanceof Error ? value : { cpu: value })
  return resultOf({
    name: 'post',
    scenario: scenarios['post']!,
    yardstick,
    ours: 'fluxgate',
    rounds: rounds.map(
      ([ours, nginx]) =>
        new Map([
          ['fluxgate', found(ours)],
          [yardstick, found(nginx)],
        ]),
    ),
  })
}

const short = new Shortfall('only 1 of 2')

for (const [what, result, state, ratio] of [
  ['the ratio is that of one round, not of the medians', resultOfPosts([10, 10], [30, 20], [24, 40]), 'met', 1],
  ['a ratio above the target', resultOfPosts([40, 20], [41, 20]), 'missed', 2.025],
  [
    'a round in which one fell short counts for nobody',
    resultOfPosts([short, 10], [30, 20], [20, short]),
    'missed',
    1.5,
  ],
  ['always short', resultOfPosts([short, 10]), 'failed', undefined],
  ['an error in one round', resultOfPosts([10, 10], [new Error('502'), 10]), 'failed', undefined],
  ['without the yardstick', resultOfPosts([10, short]), 'not measured', undefined],
  ['to another yardstick', resultTo('relay', [10, 10]), 'not measured', undefined],
  ['what it cannot do', resultOfPosts([new NotAvailable('no'), 10]), 'not measured', undefined],
] as const) {
  test(`a target is ${state}: ${what}`, () => {
    const [verdict, ...others] = judge([result])
    assert.deepEqual([verdict!.state, verdict!.found, others], [state, ratio, []])
  })
}

async function port(child: ChildProcess): Promise<number> {
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string]
  return Number(line)
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function post(load: Partial<PostLoad> & Pick<PostLoad, 'target'>): Promise<Posted> {
  const defaults = {
    connections: 8,
    rate: 400,
    contentBytes: 230,
    isFresh: false,
    isTls: false,
    warmUpSeconds: 0,
    seconds: 1,
  }
  const all: PostLoad = { ...defaults, variation: 'sdk', ...load }
  const child = spawn(process.execPath, [resolve(BENCH, 'load/post-clients.ts'), JSON.stringify(all)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return JSON.parse((await text(child.stdout!)).split('\n')[1]!) as Posted
}

async function until(isOpen: number): Promise<void> {
  for (;;) {
    const socket = net.connect(isOpen, '127.0.0.1')
    const found = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (found) return
  }
}

test('the load goes through the relay at its rate, over kept connections and over new ones', async (t) => {
  const stdio = ['ignore', 'pipe', 'inherit'] as const
  const origin = spawn(process.execPath, [resolve(BENCH, 'load/content-origin.ts'), '{"a":"}"}'], { stdio: [...stdio] })
  t.after(() => origin.kill())
  const originPort = await port(origin)
  const relayPort = await freePort()
  const program = resolve(BENCH, 'contenders/raw-relay.ts')
  const args = [program, String(relayPort), String(originPort), PREFIX, CLIENT_KEY, PROVIDER_KEY]
  const relay = spawn(process.execPath, args, { stdio: [...stdio] })
  t.after(() => relay.kill())
  await until(relayPort)
  const target = { ...TARGET, port: relayPort }
  for (const [what, load] of [
    ['kept', {}],
    ['new', { isFresh: true }],
    ['large', { contentBytes: 300_000, rate: 40, variation: 'repeated' }],
  ] as const) {
    const { answered, wrong } = await post({ target, ...load })
    assert.equal(wrong, undefined, what)
    assert.ok(answered > 0, what)
  }
  const wrong = { ...target, headers: ['Authorization: Bearer wrong'] }
  assert.equal((await post({ target: wrong })).wrong, 'HTTP/1.1 401 Unauthorized')
})

for (const load of ['repeated', 'event']) {
  test(`the micro benchmark finds its way into the gateway: ${load}`, async () => {
    const child = fork(resolve(BENCH, 'micro/measure.ts'), [resolve(BENCH, '..'), load, '1', ''], { silent: true })
    let figures: number[] = []
    child.on('message', (message) => {
      figures = message as number[]
    })
    const errors = text(child.stderr!)
    await once(child, 'exit')
    assert.equal(await errors, '')
    assert.equal(figures.length, 1)
    assert.ok(figures[0]! > 0)
  })
}

test('the whole of it runs, and says what it found', {
  skip: availableParallelism() < 2 || !isInstalled('taskset') ? 'two cores and taskset are needed' : false,
}, async () => {
  const args = ['--quick', '--only', 'start', '--against', 'relay', '--json']
  const child = spawn(process.execPath, [resolve(BENCH, 'run.ts'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  const { results, targets } = JSON.parse(output || 'null') ?? assert.fail(errors)
  assert.deepEqual(
    (results as Result[])[0]!.metrics[0]!.rows.map(({ contender }) => contender),
    ['fluxgate', 'relay'],
  )
  assert.ok((targets as { scenario: string }[]).every(({ scenario }) => scenario === 'start'))
})
