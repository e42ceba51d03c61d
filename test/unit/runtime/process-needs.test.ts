import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findMissing } from '../../../src/runtime/process-needs.ts'

const FLAGS = ['--disable-sigusr1', '--use-system-ca', '--max-semi-space-size=2', '--v8-pool-size=1']
const VARIABLES = { UV_THREADPOOL_SIZE: '32', MALLOC_ARENA_MAX: '1' }

test('everything is missing from a bare start, and nothing from a whole one', () => {
  assert.deepEqual(findMissing({ execArgv: [], env: {} }), { flags: FLAGS, variables: VARIABLES })
  assert.deepEqual(findMissing({ execArgv: FLAGS, env: VARIABLES }), { flags: [], variables: {} })
})

test('what somebody has set stays as it is', () => {
  const execArgv = ['--max_semi_space_size=16', '--no-use-system-ca', '--inspect']
  const env = { UV_THREADPOOL_SIZE: '4', MALLOC_ARENA_MAX: '' }
  assert.deepEqual(findMissing({ execArgv, env }), { flags: ['--disable-sigusr1', '--v8-pool-size=1'], variables: {} })
})

test('flags may come from the environment', () => {
  const env = { NODE_OPTIONS: '--disable-sigusr1  --max-semi-space-size=4', NODE_USE_SYSTEM_CA: '1' }
  assert.deepEqual(findMissing({ execArgv: [], env }).flags, ['--v8-pool-size=1'])
})
