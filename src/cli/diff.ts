import { randomBytes } from 'node:crypto'
import { CannotCompare } from '../tools/diff/client.ts'
import { DIRECT_UPSTREAM, directConfiguration, runDirect } from '../tools/diff/direct.ts'
import { type DiffOptions, type Job, NotPrepared, prepareJob } from '../tools/diff/job.ts'
import { runAgainstProvider } from '../tools/diff/provider.ts'
import { readDiffOptions } from './diff-options.ts'
import { loadGiven } from './given-configuration.ts'
import { loadText } from './load-text.ts'
import { type GivenOptions, usageError } from './usage.ts'

const SAME = 0
const DIFFERENT = 1
const USAGE = 2

/** `fluxgate diff`; the exit code. */
export async function diff(given: GivenOptions): Promise<number> {
  const options = readDiffOptions(given)
  if (typeof options === 'string') {
    process.stderr.write(usageError('diff', options))
    return USAGE
  }
  const print = (text: string): void => void process.stdout.write(text)
  try {
    const job = options.upstream === undefined ? builtInJob(options) : configuredJob(options)
    const isSame = await (options.isDirect ? runDirect(job, print) : runAgainstProvider(job, print))
    return isSame ? SAME : DIFFERENT
  } catch (error) {
    if (!(error instanceof CannotCompare || error instanceof NotPrepared)) throw error
    process.stderr.write(`error: ${error.message}\n`)
    return error instanceof NotPrepared ? USAGE : DIFFERENT
  }
}

function configuredJob(options: DiffOptions): Job {
  return prepareJob(options, loadGiven(options.configPath), { env: process.env, stdin: process.stdin.fd })
}

function builtInJob(options: DiffOptions): Job {
  const gatewayKey = randomBytes(16).toString('hex')
  const providerKey = randomBytes(16).toString('hex')
  const loaded = loadText(directConfiguration(gatewayKey, providerKey))
  const env = { ...process.env, FLUXGATE_DIFF_KEY: gatewayKey }
  return prepareJob({ ...options, upstream: DIRECT_UPSTREAM }, loaded, { env, stdin: process.stdin.fd })
}
