import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CONTENDER_CORE } from '../machine/processes.ts'
import { CLIENT_KEY, type Contender, FULL_LOAD, MAX_CONNECTIONS, PREFIX, PROVIDER_KEY, prefixed } from './contender.ts'
import { OUTPUT, serve } from './server.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** `trace` writes a record for each request, `warn` none. */
export function fluxgate(name = 'fluxgate', level: 'trace' | 'warn' = 'trace'): Contender {
  return {
    ...prefixed,
    name,
    version: version(),
    load: FULL_LOAD,
    log: OUTPUT,
    checksKey: true,
    start: (originPort) =>
      serve(CONTENDER_CORE, (port, folder) => {
        const path = join(folder, 'fluxgate.yaml')
        writeFileSync(path, configuration(port, originPort))
        const outside = Object.entries(process.env).filter(([key]) => !key.startsWith('FLUXGATE_'))
        const env = { ...Object.fromEntries(outside), FLUXGATE_LOG: level }
        return { command: [join(ROOT, 'bin/fluxgate'), '--config', path], env }
      }),
  }
}

function configuration(port: number, originPort: number): string {
  return `version: 1
server: { bind_address: "127.0.0.1:${port}", max_connections: ${MAX_CONNECTIONS}, keep_alive_timeout_ms: 600000 }
upstreams:
  openai: { request_path: ${PREFIX}, target_url: "http://127.0.0.1:${originPort}", api_key: ${PROVIDER_KEY} }
api_keys: { static: [{ id: bench, key: ${CLIENT_KEY} }] }
`
}

function version(): string {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  const git = spawnSync('git', ['describe', '--always', '--dirty'], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, GIT_OPTIONAL_LOCKS: '0' },
  })
  const commit = git.status === 0 ? `${git.stdout.trim()}, ` : ''
  return `${version} (${commit}Node ${process.versions.node})`
}
