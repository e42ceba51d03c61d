import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missingRoots, skipMissingRoots } from '../../../src/runtime/system-roots.ts'

const table: Readonly<
  Record<string, readonly [env: NodeJS.ProcessEnv, there: string[], left: NodeJS.ProcessEnv, missing: string[]]>
> = {
  'a machine with roots': [{}, ['/etc/ssl/certs'], {}, []],
  'an image without any': [{}, [], { SSL_CERT_DIR: '' }, []],
  'a folder that is there': [{ SSL_CERT_DIR: '/a' }, ['/a'], { SSL_CERT_DIR: '/a' }, []],
  'a folder that is not': [{ SSL_CERT_DIR: '/a' }, ['/etc/ssl/certs'], { SSL_CERT_DIR: '' }, ['SSL_CERT_DIR /a']],
  'no folder at all': [{ SSL_CERT_DIR: '' }, ['/etc/ssl/certs'], { SSL_CERT_DIR: '' }, []],
  'a file that is not there': [
    { SSL_CERT_FILE: '/f' },
    ['/etc/ssl/certs'],
    { SSL_CERT_FILE: '/f' },
    ['SSL_CERT_FILE /f'],
  ],
}

for (const [what, [env, there, left, missing]] of Object.entries(table)) {
  test(what, () => {
    skipMissingRoots(env, undefined, (path) => there.includes(path))
    assert.deepEqual(
      missingRoots().map(({ name, path }) => `${name} ${path}`),
      missing,
    )
    assert.deepEqual(env, left)
  })
}

test('a file that Node was not to read', () => {
  skipMissingRoots({}, '/x', () => true)
  assert.deepEqual(missingRoots(), [{ name: 'NODE_EXTRA_CA_CERTS', path: '/x' }])
})
