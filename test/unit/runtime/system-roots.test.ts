import assert from 'node:assert/strict'
import { test } from 'node:test'
import { skipMissingRoots } from '../../../src/runtime/system-roots.ts'

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
    const seen = skipMissingRoots(env, (path) => there.includes(String(path)))
    assert.deepEqual(
      seen.map(({ name, path }) => `${name} ${path}`),
      missing,
    )
    assert.deepEqual(env, left)
  })
}
