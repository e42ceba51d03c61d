import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CA } from '../../test/support/certificates.ts'
import { contenderCores } from '../machine/processes.ts'
import {
  CLIENT_KEY,
  type Contender,
  FULL_LOAD,
  MAX_CONNECTIONS,
  NotAvailable,
  PREFIX,
  PROVIDER_KEY,
  prefixed,
  type Situation,
} from './contender.ts'
import { certificateIn, OUTPUT, serve, writeTo } from './server.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const BIN = join(ROOT, 'bin/fluxgate')

export interface Variant {
  /** `trace` writes a record for each request, `warn` none. */
  readonly level?: 'trace' | 'warn'
  /** See `Contender`. */
  readonly scraped?: string
  /** What an exchange has used: nobody looks, the log has it (which is how Fluxgate comes), or the ledger has it as well. */
  readonly usage?: 'off' | 'logged' | 'ledger'
}

export function fluxgate(name = 'fluxgate', variant: Variant = {}): Contender {
  const { level = 'trace', scraped } = variant
  return {
    ...(scraped === undefined ? {} : { scraped }),
    ...prefixed,
    name,
    version: version(),
    load: FULL_LOAD,
    log: OUTPUT,
    checksKey: true,
    start: async (situation) => {
      if ((situation.workers ?? 1) > 1 && !hasWorkers()) throw new NotAvailable('it has no server.workers')
      return await serve(contenderCores(situation.workers), (port, folder) => {
        const path = writeTo(folder, 'fluxgate.yaml', configuration(port, folder, situation, variant))
        const outside = Object.entries(process.env).filter(([key]) => !key.startsWith('FLUXGATE_'))
        const env = { ...Object.fromEntries(outside), FLUXGATE_LOG: level }
        return { command: [BIN, '--config', path], env }
      })
    },
  }
}

/** A checkout that has none only warns of the key, and would be measured with one. */
let knowsWorkers: boolean | undefined

function hasWorkers(): boolean {
  if (knowsWorkers === undefined) {
    const input = 'version: 1\nserver: { workers: 2 }\n'
    const { stdout, stderr } = spawnSync(BIN, ['check', '--config', '-'], { input, encoding: 'utf8' })
    knowsWorkers = !(stdout + stderr).includes('workers')
  }
  return knowsWorkers
}

function configuration(
  port: number,
  folder: string,
  { originPort, isTls, clients, workers = 1 }: Situation,
  { scraped, usage = 'logged' }: Variant,
): string {
  const target = `${isTls ? 'https' : 'http'}://127.0.0.1:${originPort}`
  const tls = isTls ? `, tls: { ca: "${writeTo(folder, 'ca.pem', CA)}" }` : ''
  const [cert, key] = clients === 'tls' ? certificateIn(folder) : []
  const server = cert === undefined ? '' : `, tls: { cert: "${cert}", key: "${key}" }`
  const admin = scraped === undefined ? '' : `\nadmin: { bind_address: "unix:${scraped}" }`
  const ledger = usage === 'ledger' ? `\nledger: { url: "sqlite:${join(folder, 'ledger.db')}" }` : ''
  const reading = usage === 'off' ? ', usage: off' : ''
  return `version: 1${admin}${ledger}
server: { bind_address: "127.0.0.1:${port}", max_connections: ${MAX_CONNECTIONS}, keep_alive_timeout_ms: 600000, workers: ${workers}${server} }
upstreams:
  openai: { request_path: ${PREFIX}, target_url: "${target}", api_key: ${PROVIDER_KEY}${tls}${reading} }
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
