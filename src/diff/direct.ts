import { BATTERY, trialOf } from './battery.ts'
import type { Place } from './dial.ts'
import { gatewayFacts, placeOf, upstreamFacts } from './grounds.ts'
import type { Job } from './job.ts'
import { createMask } from './mask.ts'
import { valuesOf } from './message.ts'
import { startOwnGateway } from './own-gateway.ts'
import { templateOf } from './own-request.ts'
import { RecordingOrigin } from './recording-origin.ts'
import { formatResult, formatSummary, isSame, type Result } from './report.ts'
import { type Compared, type Ground, runTrial, type Trial } from './trial.ts'

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

/** Every trial would say the same: nothing arrives. */
export class Misconfigured extends Error {}

/** Prints each result as it comes; true if nothing differs that counts. */
export async function runDirect(job: Job, print: (text: string) => void): Promise<boolean> {
  const origin = new RecordingOrigin()
  const close: (() => unknown)[] = [() => origin.close()]
  try {
    const [address, port] = job.gateway === undefined ? ['127.0.0.1', 0] : targetOf(job)
    await listen(origin, address, port)
    const gatewayPlace = await gatewayInFront(job, origin, close)
    const trials = job.wish === undefined ? BATTERY : [...BATTERY, trialOf(templateOf(job.wish, job.upstream))]
    print(`straight: ${origin.place.url}, a recording origin
gateway:  ${job.gateway === undefined ? 'one of this version' : gatewayPlace.url}, in front of that origin
Each request is sent both ways; prefix, Host and credential are those of the way. What the origin received (request)
and what came back (response) is compared byte for byte.\n\n`)
    return await runTrials(trials, { origin, gatewayPlace, ...factsOf(job, gatewayPlace) }, job, print)
  } finally {
    for (const end of close) await end()
  }
}

function factsOf({ upstream, gateway, key }: Job, place: Place): Pick<Ground, 'upstream' | 'gateway'> {
  const reached = gateway ?? { authority: `${place.host}:${place.port}`, basePath: '' }
  return { upstream: upstreamFacts(upstream), gateway: gatewayFacts(reached, key) }
}

/** A gateway that runs somewhere sends its requests to the upstream's target: so that is where the origin has to be. */
function targetOf({ upstream: { name, target } }: Job): [host: string, port: number] {
  if (target.scheme === 'http') return [target.host, target.port]
  throw new Misconfigured(
    `the recording origin takes the place of target_url of ${name}, which must be http:// for that`,
  )
}

async function listen(origin: RecordingOrigin, host: string, port: number): Promise<void> {
  try {
    await origin.listen(host, port)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Misconfigured(`the recording origin cannot listen on ${host} port ${port}: ${code}`)
  }
}

async function gatewayInFront(job: Job, origin: RecordingOrigin, close: (() => unknown)[]): Promise<Place> {
  if (job.gateway !== undefined) return placeOf('gateway', job.gateway)
  const own = await startOwnGateway(job.settings, job.upstream, origin.place)
  close.push(own.close)
  return own.place
}

async function runTrials(
  trials: readonly Trial[],
  ground: Ground,
  { secrets }: Job,
  print: (text: string) => void,
): Promise<boolean> {
  const mask = createMask(secrets)
  const results: Result[] = []
  for (const trial of trials) {
    const compared = await runTrial(trial, ground)
    if (results.length === 0) checkArrival(compared, ground)
    const result = { name: trial.name, compared }
    results.push(result)
    print(formatResult(result, mask))
  }
  print(`\n${formatSummary(results)}`)
  return results.every(isSame)
}

function checkArrival([request, response]: readonly Compared[], { gatewayPlace, origin }: Ground): void {
  if (request?.gateway !== undefined) return
  const { startLine = '', lines = [] } = response?.gateway ?? {}
  const code = valuesOf(lines, 'x-fluxgate-error')[0]
  const said = `${startLine || 'nothing'}${code === undefined ? '' : ` (x-fluxgate-error: ${code})`}`
  throw new Misconfigured(
    `the gateway at ${gatewayPlace.url} does not pass requests on to ${origin.place.url}; it answered ${said}`,
  )
}
