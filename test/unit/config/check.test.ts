import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { check } from '../../../src/cli/check.ts'
import { createFolder } from './configuration-folder.ts'

function run(t: TestContext, text?: string): { code: number; lines: string[] } {
  const { file, write } = createFolder(t)
  if (text !== undefined) write('fluxgate.yaml', text)
  const lines: string[] = []
  const code = check(file, (line) => lines.push(line.replaceAll(file, 'fluxgate.yaml')), { KEY: 'fake' })
  return { code, lines }
}

const UPSTREAM = 'upstreams:\n  a: { request_path: /a, target_url: "http://a", api_key: { env: KEY } }\n'

test('a good file: what it holds, and 0', (t) => {
  assert.deepEqual(
    run(
      t,
      `version: 1\n${UPSTREAM}api_keys: { static: [{ key: fgk_0123456789abcdef }, { key: fgk_fedcba9876543210 }] }\n`,
    ),
    {
      code: 0,
      lines: ['fluxgate.yaml: OK, 1 upstream, 2 keys'],
    },
  )
  assert.deepEqual(run(t, `version: 1\nserver: { allow_anonymous: true }\n${UPSTREAM}`), {
    code: 0,
    lines: ['fluxgate.yaml: OK, 1 upstream, 0 keys; no key is needed (server.allow_anonymous)'],
  })
  assert.deepEqual(run(t, 'version: 1\n'), {
    code: 0,
    lines: ['fluxgate.yaml: OK, 0 upstreams, 0 keys; without keys every request is answered with 401'],
  })
})

test('warnings alone: 1', (t) => {
  assert.deepEqual(run(t, 'version: 1\nserver: { max_conections: 5 }\n'), {
    code: 1,
    lines: [
      'fluxgate.yaml:2:11: server.max_conections: unknown, did you mean max_connections?',
      'fluxgate.yaml: 1 warning',
    ],
  })
})

test('problems and warnings: all of them, and 1', (t) => {
  const { code, lines } = run(t, 'version: 2\nserver: { max_conections: 5, head_timeout_ms: 0 }\n')
  assert.equal(code, 1)
  assert.deepEqual(lines, [
    'fluxgate.yaml:1:1: version: must be the integer 1',
    'fluxgate.yaml:2:30: server.head_timeout_ms: must be an integer of milliseconds from 1 to 2147483647',
    'fluxgate.yaml:2:11: server.max_conections: unknown, did you mean max_connections?',
    'fluxgate.yaml: 2 problems, 1 warning',
  ])
})

test('a file that is not there: 1', (t) => {
  assert.deepEqual(run(t), { code: 1, lines: ['fluxgate.yaml: does not exist', 'fluxgate.yaml: 1 problem'] })
})

test('a relative path that leads nowhere: the folder that it starts at', () => {
  const lines: string[] = []
  assert.equal(
    check('nothing/here.yaml', (line) => void lines.push(line), {}),
    1,
  )
  assert.deepEqual(lines, [
    `nothing/here.yaml: does not exist (looked for in ${process.cwd()})`,
    'nothing/here.yaml: 1 problem',
  ])
})
