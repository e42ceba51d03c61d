import { BATTERY, trialOf } from './battery.ts'
import { CannotCompare, urlOf } from './client.ts'
import type { Job } from './job.ts'
import { createMask, show } from './mask.ts'
import { valuesOf } from './message.ts'
import { startOwnGateway } from './own-gateway.ts'
import { gatewayOf } from './provider.ts'
import { RecordingOrigin } from './recording-origin.ts'
import { formatResult, formatSummary, isSame, type Result } from './report.ts'
import { templateOf } from './request.ts'
import { type Compared, type Ground, runTrial } from './trial.ts'

/** `fluxgate diff --direct`: the battery, against an origin that records what it receives. */

/** The name of the only upstream of the built-in configuration. */
export const DIRECT_UPSTREAM = 'direct'

export function directConfiguration(gatewayKey: string, providerKey: string): string {
  return `version: 1
upstreams:
  ${DIRECT_UPSTREAM}:
    request_path: /direct
    target_url: http://recording-origin.test/base
    api_key: ${providerKey}
api_keys:
  static:
    - key: ${gatewayKey}
`
}

/** Prints each result as it comes; true if nothing differs that counts. */
export async function runDirect(job: Job, print: (text: string) => void): Promise<boolean> {
  const origin = new RecordingOrigin()
  try {
    if (job.gateway !== undefined) {
      await listen(origin, job)
      return await runTrials({ job, origin, gateway: gatewayOf(job) }, print)
    }
    await origin.listen('127.0.0.1', 0)
    const own = await startOwnGateway(job, origin.place)
    try {
      return await runTrials({ job, origin, gateway: own.place }, print)
    } finally {
      await own.close()
    }
  } finally {
    origin.close()
  }
}

/** A gateway that runs somewhere sends its requests to the upstream's target: so that is where the origin has to be. */
async function listen(origin: RecordingOrigin, { upstream: { name, target } }: Job): Promise<void> {
  const { scheme, host, port } = target
  if (scheme !== 'http') {
    throw new CannotCompare(
      `the recording origin takes the place of target_url of ${name}, which must be http:// for that`,
    )
  }
  try {
    await origin.listen(host, port)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CannotCompare(`the recording origin cannot listen on ${host} port ${port}: ${code}`)
  }
}

async function runTrials(ground: Ground, print: (text: string) => void): Promise<boolean> {
  const { job, origin, gateway } = ground
  print(`straight: ${urlOf(origin.place)}, a recording origin
gateway:  ${job.gateway === undefined ? 'one of this version' : urlOf(gateway)}, in front of that origin
Each request is sent both ways; prefix, Host and credential are those of the way. What the origin received (request)
and what came back (response) is compared byte for byte.\n\n`)
  const mask = createMask(job.secrets)
  const results: Result[] = []
  for (const trial of job.wish === undefined ? BATTERY : [...BATTERY, trialOf(templateOf(job.wish, job.upstream))]) {
    const compared = await runTrial(trial, ground)
    if (results.length === 0) checkArrival(compared, ground)
    const result = { name: trial.name, compared }
    results.push(result)
    print(formatResult(result, mask))
  }
  print(`\n${formatSummary(results)}`)
  return results.every(isSame)
}

/** If not even the plainest request arrives, every trial would say the same. */
function checkArrival([request, response]: readonly Compared[], { job, gateway, origin }: Ground): void {
  if (request?.gateway !== undefined) return
  const mask = createMask(job.secrets)
  const { startLine = '', lines = [] } = response?.gateway ?? {}
  const code = valuesOf(lines, 'x-fluxgate-error')[0]
  const said = `${startLine || 'nothing'}${code === undefined ? '' : ` (x-fluxgate-error: ${code})`}`
  const [from, to] = [urlOf(gateway), urlOf(origin.place)]
  throw new CannotCompare(`the gateway at ${from} does not pass requests on to ${to}; it answered ${show(mask(said))}`)
}
