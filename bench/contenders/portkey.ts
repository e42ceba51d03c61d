import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { contenderCores } from '../machine/processes.ts'
import { type Contender, direct, LIGHT_LOAD, NotAvailable } from './contender.ts'
import { serve } from './server.ts'

const NAME = '@portkey-ai/gateway'
const VERSION = '1.15.2'
/** The day after it was published: what it needs comes as it was then. */
const BEFORE = '2026-08-24'

/** Below node_modules: nobody's dependency, untracked, and gone with the next `npm ci`. */
const CACHE = resolve(import.meta.dirname, '../../node_modules/.cache/bench', `portkey-${VERSION}`)
const STREAMS = join(import.meta.dirname, 'portkey-streams.ts')
const MAIN = join(CACHE, 'node_modules', NAME, 'build/start-server.js')

/** It neither knows keys of its own nor logs: the client names the provider and brings the provider's key. */
export function portkey(): Contender {
  return {
    name: 'portkey',
    version: VERSION,
    load: LIGHT_LOAD,
    log: undefined,
    checksKey: false,
    path: direct.path,
    headers: (originPort) => [
      ...direct.headers(originPort),
      'x-portkey-provider: openai',
      `x-portkey-custom-host: http://127.0.0.1:${originPort}/v1`,
    ],
    start: async ({ isTls, clients, workers = 1 }) => {
      if (isTls || clients !== undefined || workers > 1) throw new NotAvailable('it is not set up for that here')
      return await serve(contenderCores(), (port) => ({
        command: [process.execPath, '--import', STREAMS, MAIN, `--port=${port}`, '--headless'],
        env: { ...process.env, NODE_ENV: 'production', TRUSTED_CUSTOM_HOSTS: '127.0.0.1,localhost' },
      }))
    },
  }
}

/** With the registry that npm is configured for. None of what it brings may run a script of its own. */
export function fetchPortkey(): void {
  if (existsSync(MAIN)) return
  console.error(`fetching ${NAME}@${VERSION} into ${CACHE}`)
  mkdirSync(CACHE, { recursive: true })
  const flags = [
    '--ignore-scripts',
    `--before=${BEFORE}`,
    '--save-exact',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]
  const { status, stderr } = spawnSync('npm', ['install', '--prefix', CACHE, ...flags, `${NAME}@${VERSION}`], {
    encoding: 'utf8',
    cwd: CACHE,
  })
  if (status !== 0) throw new Error(`npm could not fetch ${NAME}@${VERSION}: ${stderr.trim().split('\n').at(-1)}`)
}
