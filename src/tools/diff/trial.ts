import { type Answered, ask, type Place } from './client.ts'
import { compareMessages, SCRIPTED } from './compare.ts'
import type { Finding } from './finding.ts'
import type { Job } from './job.ts'
import type { Message } from './message.ts'
import { Progress } from './message-reader.ts'
import type { Answer, RecordingOrigin, Visited } from './recording-origin.ts'
import { type RenderedRequest, type RequestTemplate, renderForGateway, renderStraight } from './request.ts'

/** One request with its scripted answer, once straight and once through a gateway: both ends are known, so every byte counts. */

export interface Trial {
  readonly name: string
  readonly request: RequestTemplate
  readonly answer: Answer
}

export interface Ground {
  readonly job: Job
  readonly origin: RecordingOrigin
  readonly gateway: Place
}

/** One message, both ways, and how the two compare. */
export interface Compared {
  readonly direction: 'request' | 'response'
  readonly straight: Message
  /** Undefined: it did not get there. */
  readonly gateway: Message | undefined
  readonly findings: readonly Finding[]
}

/** Longer than anything here takes, with room for everything that waits in between. */
const SILENCE_MS = 10_000

interface Leg {
  readonly visited: Visited
  readonly answered: Answered
}

export async function runTrial(trial: Trial, { job, origin, gateway }: Ground): Promise<Compared[]> {
  const { upstream, key } = job
  const straight = await runLeg(trial, origin, origin.place, renderStraight(trial.request, upstream, key))
  const relayed = await runLeg(trial, origin, gateway, renderForGateway(trial.request, upstream, gateway, key))
  return [compareRequests(straight, relayed), compareResponses(straight, relayed)]
}

async function runLeg(trial: Trial, origin: RecordingOrigin, place: Place, request: RenderedRequest): Promise<Leg> {
  const arrived = new Progress()
  const answered = new Progress()
  origin.expect({ method: request.method, answer: trial.answer, arrived, answered })
  const answer = await ask(place, request, { arrived, answered, silenceMs: SILENCE_MS })
  return { answered: answer, visited: await origin.takeVisit() }
}

function compareRequests(straight: Leg, relayed: Leg): Compared {
  const sent = straight.visited.request!
  const { request: got, requests } = relayed.visited
  const findings = got === undefined ? [flow('has not reached the origin')] : compareMessages(sent, got, SCRIPTED)
  if (requests > 1) findings.push(flow(`has reached the origin ${requests} times`))
  if (relayed.answered.isRequestHeld && !straight.answered.isRequestHeld) findings.push(flow(HELD))
  return { direction: 'request', straight: sent, gateway: got, findings }
}

const HELD = 'is held back: a piece of it was not passed on until more of it came'

function compareResponses(straight: Leg, relayed: Leg): Compared {
  const findings = compareMessages(straight.answered.message, relayed.answered.message, SCRIPTED)
  if (relayed.visited.isAnswerHeld && !straight.visited.isAnswerHeld) findings.push(flow(HELD))
  return { direction: 'response', straight: straight.answered.message, gateway: relayed.answered.message, findings }
}

function flow(what: string): Finding {
  return { verdict: 'different', part: 'flow', what, straight: undefined, gateway: undefined }
}
