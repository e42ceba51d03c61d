import type { ServerSettings, ServerTls, Target, UpstreamTls } from '../../config/snapshot.ts'
import { type Answered, ask, CannotCompare, type Place, urlOf } from './client.ts'
import { compareMessages, observeVariation, type Repeatability } from './compare.ts'
import { type Job, NotPrepared } from './job.ts'
import { createMask, type Mask, show } from './mask.ts'
import { type Head, type Message, valuesOf } from './message.ts'
import { Progress } from './message-reader.ts'
import { startOwnGateway } from './own-gateway.ts'
import { type Answer, RecordingOrigin } from './recording-origin.ts'
import { formatResult, formatSummary, formatTiming, isSame, type Result } from './report.ts'
import { type RenderedRequest, type RequestTemplate, renderForGateway, renderStraight, templateOf } from './request.ts'
import { runTrial, type Trial } from './trial.ts'

/**
 * `fluxgate diff --upstream NAME`: a real provider, and a gateway that runs. Two answers of a provider are never the same
 * to the last byte, so the one that came straight is then replayed through a gateway: there every byte counts.
 */

const NO_WISH = { method: undefined, path: undefined, lines: [], content: undefined }

/** RFC 9110 section 9.2.1: asking again costs nothing and changes nothing. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** So that an end that the gateway makes of a silence comes before one of ours. */
const GRACE_MS = 2_000

/** Prints as it goes; true if nothing differs that counts. */
export async function runAgainstProvider(job: Job, print: (text: string) => void): Promise<boolean> {
  const mask = createMask(job.secrets)
  const { upstream } = job
  const request = templateOf(job.wish ?? NO_WISH, upstream)
  const gateway = gatewayOf(job)
  const shown = (url: string): string => `${url}${show(mask(request.path))}`
  print(`request:  ${request.method}, upstream ${upstream.name}; ${explainCost(request)}
straight: ${shown(urlOf(upstream.target))}
gateway:  ${shown(urlOf(gateway) + upstream.prefix)}\n\n`)

  // First, since whatever may be wrong with it is found before the provider is paid for an answer.
  const relayed = await askForAnswer(gateway, renderForGateway(request, upstream, gateway, job.key), job, mask)
  if (codeOf(relayed.message) !== undefined) {
    print(explainRefusal(relayed.message, gateway, mask))
    return false
  }
  const [straight, answers] = await askStraight(request, relayed, job, mask, print)
  const trial = { name: REPLAYED, request, answer: replayOf(straight) }
  const replayed = await replay(trial, job)
  print(formatResult(replayed, mask))
  const results = [answers, replayed]
  print(`\n${formatSummary(results)}`)
  return results.every(isSame)
}

const REPLAYED = 'the straight answer, replayed by a recording origin through a gateway of this version'

function explainCost({ method }: RequestTemplate): string {
  if (SAFE.has(method)) return 'the provider gets it three times, two of them straight'
  return 'the provider gets it twice, and may charge for both'
}

/** The one that was named, or that the configuration describes. */
export function gatewayOf({ gateway, gatewayCa, settings }: Job): Place {
  const { tls, ...target } = gateway === undefined ? localGateway(settings.server) : { ...gateway, tls: undefined }
  const trusted: UpstreamTls | undefined =
    gatewayCa === undefined ? tls : { serverName: undefined, cert: undefined, key: undefined, ...tls, ca: gatewayCa }
  return { role: 'gateway', ...target, tls: trusted }
}

/** By its address the gateway has no name, so it is asked for one of its own, and has to show the certificate of its configuration. */
function trustIn({ certificates: [first] }: ServerTls): UpstreamTls {
  const serverName = first!.names[0]?.replace(/^\*\./, 'gateway.')
  return { ca: first!.cert, serverName, cert: undefined, key: undefined }
}

/** The gateway that the configuration describes, as it is reached from this machine. */
export function localGateway({ bindAddress, tls }: ServerSettings): Target & Pick<Place, 'tls'> {
  if (bindAddress.path !== undefined) {
    throw new NotPrepared(
      `server.bind_address is ${bindAddress.text}, and diff speaks TCP only: say with --gateway where else the gateway is`,
    )
  }
  const { host, port, text } = bindAddress
  if (port === 0) throw new NotPrepared(`server.bind_address is ${text}: say with --gateway where the gateway is`)
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : /^[0:]*$/.test(host) ? '::1' : host
  const authority = `${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
  const target = { host: reachable, port, authority, basePath: '' }
  return tls === undefined ? { scheme: 'http', ...target } : { scheme: 'https', ...target, tls: trustIn(tls) }
}

async function askForAnswer(place: Place, request: RenderedRequest, job: Job, mask: Mask): Promise<Answered> {
  const { responseTimeoutMs, idleTimeoutMs } = job.upstream
  const silenceMs = Math.max(responseTimeoutMs, idleTimeoutMs) + GRACE_MS
  const answered = await ask(place, request, { arrived: undefined, answered: new Progress(), silenceMs })
  const { message } = answered
  if (/^HTTP\/\d\.\d \d{3}(?: |$)/.test(message.startLine)) return answered
  const said = message.fault ?? (message.raw.length === 0 ? 'it closed the connection' : 'it speaks no HTTP/1.1')
  const text = message.raw.length === 0 ? '' : `: ${show(mask(message.startLine))}`
  throw new CannotCompare(`the ${place.role} at ${urlOf(place)} gave no answer: ${said}${text}`)
}

async function askStraight(
  template: RequestTemplate,
  relayed: Answered,
  job: Job,
  mask: Mask,
  print: (text: string) => void,
): Promise<[straight: Answered, result: Result]> {
  const { target, tls, connectTimeoutMs } = job.upstream
  const provider: Place = { role: 'provider', ...target, tls, connectTimeoutMs }
  const request = renderStraight(template, job.upstream, job.key)
  const straight = await askForAnswer(provider, request, job, mask)
  const again = SAFE.has(template.method) ? await askForAnswer(provider, request, job, mask) : undefined
  const variation = again && observeVariation(straight.message, again.message)
  const repeatability: Repeatability = {
    isLive: true,
    variable: variation?.fields ?? new Map(),
    hasSameContent: job.isStrict || variation?.content === false,
  }
  const findings = compareMessages(straight.message, relayed.message, repeatability)
  const result: Result = {
    name: 'two answers of the provider, one straight, one through the gateway',
    compared: [{ direction: 'response', straight: straight.message, gateway: relayed.message, findings }],
  }
  print(formatResult(result, mask) + formatTiming(straight, relayed))
  print(`             content   ${explainContent(variation?.content, job)}\n`)
  return [straight, result]
}

function explainContent(hasVaried: boolean | undefined, { isStrict }: Job): string {
  if (isStrict) return 'counts, as --strict wants it'
  if (hasVaried === undefined) {
    return 'straight, the provider was asked once only (an answer may cost something): so it counts in the replay only'
  }
  return hasVaried
    ? 'asked twice straight, the provider gave two contents: so it counts in the replay only'
    : 'asked twice straight, the provider gave the same content: so it counts'
}

async function replay(trial: Trial, job: Job): Promise<Result> {
  const origin = new RecordingOrigin()
  await origin.listen('127.0.0.1', 0)
  try {
    const own = await startOwnGateway(job, origin.place)
    try {
      return { name: trial.name, compared: await runTrial(trial, { job, origin, gateway: own.place }) }
    } finally {
      await own.close()
    }
  } finally {
    origin.close()
  }
}

/** The provider's answer, byte for byte, to be given once more by a recording origin. */
function replayOf({ message }: Answered): Answer {
  const { raw, interim } = message
  const isOpenEnded = message.framing === 'until-close' && message.end === 'whole'
  const end = isOpenEnded ? 'close' : message.end === 'whole' ? 'keep' : 'reset'
  const final = interim.reduce((bytes, head) => bytes + sizeOf(head), 0)
  // At once, as a request may wait for a 100.
  return { interim: raw.subarray(0, final), pieces: [raw.subarray(final)], end }
}

function sizeOf({ startLine, lines }: Head): number {
  return [startLine, ...lines].reduce((bytes, line) => bytes + line.length + 2, 2)
}

const CURES: Readonly<Record<string, string>> = {
  fluxgate_unauthorized: 'the key that was given is none of its keys, or not one for this upstream',
  fluxgate_no_route: 'it has no such upstream, or not for this key: does it run with this configuration?',
  fluxgate_no_upstream: 'it has no upstream at all: does it run with this configuration?',
}

function codeOf({ lines }: Message): string | undefined {
  return valuesOf(lines, 'x-fluxgate-error')[0]
}

function explainRefusal(message: Message, gateway: Place, mask: Mask): string {
  const code = codeOf(message)!
  const cure = CURES[code] === undefined ? '' : `\n  ${CURES[code]}`
  return `DIFFERENT  the gateway at ${urlOf(gateway)} answered by itself; nothing was sent straight
  ${show(mask(message.startLine))}, x-fluxgate-error: ${show(mask(code))}${cure}\n`
}
