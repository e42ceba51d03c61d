import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatPath, formatProblem, summarizeProblems } from '../../../../src/config/text/problem.ts'

test('paths are written as a person would', () => {
  assert.equal(formatPath(['api_keys', 'static', 1, 'key']), 'api_keys.static[1].key')
  assert.equal(formatPath(['upstreams', 'my-provider', 'tls']), 'upstreams.my-provider.tls')
  assert.equal(formatPath([]), '')
})

test('unusual names stay on one line', () => {
  assert.equal(formatPath(['upstreams', 'a.b', 'c\n"']), 'upstreams["a.b"]["c\\n\\""]')
  assert.equal(formatPath(['']), '[""]')
})

test('a problem is one line that editors and terminals can jump to', () => {
  const problem = { file: 'fluxgate.yaml', line: 12, column: 5, path: 'upstreams.openai.target_url', text: 'is wrong' }
  assert.equal(formatProblem(problem), 'fluxgate.yaml:12:5: upstreams.openai.target_url: is wrong')
  assert.equal(formatProblem({ ...problem, path: '' }), 'fluxgate.yaml:12:5: is wrong')
  assert.equal(formatProblem({ ...problem, line: undefined, column: undefined, path: '' }), 'fluxgate.yaml: is wrong')
})

test('a log line has an end', () => {
  const problems = Array.from({ length: 60 }, (_, i) => ({ file: 'f', line: i, column: 1, path: '', text: 'x' }))
  assert.equal(summarizeProblems(problems.slice(0, 2)), 'f:0:1: x; f:1:1: x')
  assert.match(summarizeProblems(problems), /f:49:1: x; and 10 more$/)
})
