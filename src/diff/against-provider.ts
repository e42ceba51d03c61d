import type { Place } from './dial.ts'
import { gatewayFacts, localGateway, placeOf, providerPlace, upstreamFacts } from './grounds.ts'
import type { Job } from './job.ts'
import { type LiveResult, replayOf, runLive } from './live.ts'
import { createMask, type Mask, show } from './mask.ts'
import { type Message, valuesOf } from './message.ts'
import { startOwnGateway } from './own-gateway.ts'
import { templateOf } from './own-request.ts'
import { RecordingOrigin } from './recording-origin.ts'
import { formatResult, formatSummary, formatTiming, isSame, type Result } from './report.ts'
import { type Compared, runTrial, type Trial } from './trial.ts'

/**
 * `fluxgate diff --upstream NAME`: a real provider, and a gateway that runs. Two answers of a provider are never the same
 * to the last byte, so the one that came straight is then replayed through a gateway: there every byte counts.
 */

const NO_WISH = { method: undefined, path: undefined, lines: [], content: undefined }

/** Prints as it goes; true if nothing differs that counts. */
export async function runAgainstProvider(job: Job, print: (text: string) => void): Promise<boolean> {
  const mask = createMask(job.secrets)
  const target = job.gateway ?? localGateway(job.settings.server)
  const request = templateOf(job.wish ?? NO_WISH, job.upstream)
  const provider = providerPlace(job.upstream)
  const gatewayPlace = placeOf('gateway', target)
  const shown = (url: string): string => `${url}${show(mask(request.path))}`
  print(`request:  ${request.method}, upstream ${job.upstream.name}
straight: ${shown(provider.url)}
gateway:  ${shown(gatewayPlace.url + job.upstream.prefix)}\n\n`)

  const live = await runLive(request, {
    upstream: upstreamFacts(job.upstream),
    provider,
    gateway: gatewayFacts(target, job.key),
    gatewayPlace,
    idleMs: job.upstream.idleTimeoutMs,
    isStrict: job.isStrict,
  })
  if (!('response' in live)) {
    print(explainRefusal(live, gatewayPlace, mask))
    return false
  }
  const answers = {
    name: 'two answers of the provider, one straight, one through the gateway',
    compared: [live.response],
  }
  print(formatResult(answers, mask) + formatTiming(live.straight, live.gateway) + explainContent(live, job))
  const trial = { name: REPLAYED, request, answer: replayOf(live.straight) }
  const replayed = { name: REPLAYED, compared: await replay(trial, job) }
  print(formatResult(replayed, mask))
  const results: Result[] = [answers, replayed]
  print(`\n${formatSummary(results)}`)
  return results.every(isSame)
}

const REPLAYED = 'the straight answer, replayed by a recording origin through a gateway of this version'

async function replay(trial: Trial, job: Job): Promise<Compared[]> {
  const origin = new RecordingOrigin()
  await origin.listen('127.0.0.1', 0)
  try {
    const own = await startOwnGateway(job.settings, job.upstream, origin.place)
    try {
      const { host, port } = own.place
      const gateway = { authority: `${host}:${port}`, basePath: '', key: job.key }
      const ground = { origin, upstream: upstreamFacts(job.upstream), gateway, gatewayPlace: own.place }
      return await runTrial(trial, ground)
    } finally {
      await own.close()
    }
  } finally {
    origin.close()
  }
}

function explainContent({ repeats }: LiveResult, { isStrict }: Job): string {
  if (isStrict) return '             content   counts, as --strict wants it\n'
  const text = {
    unknown:
      'the provider was asked once only (an answer may cost something), so its content counts in the replay only',
    yes: 'asked twice straight, the provider gave the same content: so it counts',
    no: 'asked twice straight, the provider gave two contents: so it counts in the replay only',
  }[repeats]
  return `             content   ${text}\n`
}

const CURES: Readonly<Record<string, string>> = {
  fluxgate_unauthorized: 'the key that was given is none of its keys, or not one for this upstream',
  fluxgate_no_route: 'it has no such upstream, or not for this key: does it run with this configuration?',
  fluxgate_no_upstream: 'it has no upstream at all: does it run with this configuration?',
}

function explainRefusal({ startLine, lines }: Message, { url }: Place, mask: Mask): string {
  const code = valuesOf(lines, 'x-fluxgate-error')[0]!
  const cure = CURES[code] === undefined ? '' : `\n  ${CURES[code]}`
  return `DIFFERENT  the gateway at ${url} answered by itself; nothing was sent straight
  ${show(mask(startLine))}, x-fluxgate-error: ${show(mask(code))}${cure}\n`
}
