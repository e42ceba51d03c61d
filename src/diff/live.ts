import { compareMessages, observeVariation, type Repeatability } from './compare.ts'
import { dial, type Place, Unreachable } from './dial.ts'
import { type Message, valuesOf } from './message.ts'
import { Meter } from './meter.ts'
import type { Answer } from './recording-origin.ts'
import { type Answered, send } from './send.ts'
import {
  type GatewayFacts,
  type RenderedRequest,
  type RequestTemplate,
  renderForGateway,
  renderStraight,
  type UpstreamFacts,
} from './template.ts'
import type { Compared } from './trial.ts'

/** One request to a real provider: straight, and through a gateway that runs somewhere. */

export interface LiveGround {
  readonly upstream: UpstreamFacts
  readonly provider: Place
  readonly gateway: GatewayFacts
  readonly gatewayPlace: Place
  /** Without a byte for this long an answer counts as broken off. */
  readonly idleMs: number
  /** Content counts even where the provider does not repeat itself. */
  readonly isStrict: boolean
}

export interface LiveResult {
  readonly response: Compared
  readonly straight: Answered
  readonly gateway: Answered
  /** How the provider was asked whether it repeats itself: not at all, or it does, or it does not. */
  readonly repeats: 'unknown' | 'yes' | 'no'
}

/** RFC 9110 section 9.2.1: asking twice costs nothing and changes nothing. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** @returns an answer of the gateway's own, if that is what came: then the provider was not asked at all */
export async function runLive(request: RequestTemplate, ground: LiveGround): Promise<LiveResult | Message> {
  const { upstream, gateway, provider, gatewayPlace, idleMs, isStrict } = ground
  // First, since whatever may be wrong with it is found before the provider is paid for an answer.
  const relayed = await ask(gatewayPlace, renderForGateway(request, upstream, gateway), idleMs)
  if (valuesOf(relayed.message.lines, 'x-fluxgate-error').length > 0) return relayed.message
  const asked = renderStraight(request, upstream, gateway.key)
  const straight = await ask(provider, asked, idleMs)
  const again = SAFE.has(request.method) ? await ask(provider, asked, idleMs) : undefined
  const variation = again && observeVariation(straight.message, again.message)
  const repeatability: Repeatability = {
    isLive: true,
    variable: variation?.fields ?? new Set(),
    hasSameContent: isStrict || variation?.content === false,
  }
  const findings = compareMessages(straight.message, relayed.message, repeatability)
  return {
    response: { direction: 'response', straight: straight.message, gateway: relayed.message, findings },
    straight,
    gateway: relayed,
    repeats: variation === undefined ? 'unknown' : variation.content ? 'no' : 'yes',
  }
}

async function ask(place: Place, request: RenderedRequest, idleMs: number): Promise<Answered> {
  const answered = await send(await dial(place), request, { arrived: undefined, answered: new Meter(), idleMs })
  if (answered.message.raw.length === 0) throw new Unreachable(place, 'it closed the connection without an answer')
  return answered
}

/** The provider's answer, byte for byte, to be given once more by a recording origin. */
export function replayOf({ message }: Answered): Answer {
  const isOpenEnded = message.framing === 'until-close' && message.end === 'whole'
  const end = isOpenEnded ? 'close' : message.end === 'whole' ? 'keep' : 'reset'
  return { pieces: [message.raw], end }
}
