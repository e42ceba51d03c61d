/** A thread that serves the clients that another thread has accepted. */
import { flushCompileCache } from 'node:module'
import type net from 'node:net'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { assemble } from '../config/assemble.ts'
import { GAUGES } from '../listener/gauges.ts'
import { announce, EVENTS } from '../observe/events.ts'
import { openWorkerLogging } from '../observe/logging.ts'
import { joinPassage } from '../runtime/handle-passing.ts'
import { CRASH_DRAIN_MS, createServing } from '../serving.ts'
import { ANSWERS, type FromWorker, type NewSettings, OFFERS, type ToWorker, type WorkerStart } from './messages.ts'
import { Tally } from './tally.ts'

const HEARTBEAT_MS = 1000

const start = workerData as WorkerStart
const port = parentPort!
const { settingsPort } = start

function post(message: FromWorker): void {
  port.postMessage(message)
}

const logging = openWorkerLogging(
  start.lines,
  (line) => post(line === undefined ? { type: 'lines' } : { type: 'line', line }),
  start.logSettings,
  new Tally(start.tally),
)
const { log, writeRecord } = logging

// Node would write it to stderr in a format of its own.
process.removeAllListeners('warning')
process.on('warning', (warning) => {
  const { name, message } = warning
  announce(log, EVENTS.runtimeWarning, { name, code: (warning as NodeJS.ErrnoException).code, error: message })
})

// ---- settings

const current = new Int32Array(start.current)
let { generation } = start

/** The number is stored after the settings have been sent: whoever sees it has them. */
function catchUp(): void {
  if (Atomics.load(current, 0) === generation) return
  let latest: NewSettings | undefined
  for (let next = receiveMessageOnPort(settingsPort); next !== undefined; next = receiveMessageOnPort(settingsPort)) {
    latest = next.message as NewSettings
  }
  if (latest !== undefined) take(latest)
}

function take(next: NewSettings): void {
  generation = next.generation
  serving.publish({ ...assemble(next.settings), generation })
}

const gauges = new Int32Array(start.gauges)
const serving = createServing(
  { ...assemble(start.settings), generation },
  { log, writeRecord },
  {
    gauges,
    catchUp,
    worker: start.worker,
    onPage: (memory) => post({ type: 'page', memory }),
    memory: start.memory,
  },
)

// Also where no request comes: pools let go of what is not configured any more.
settingsPort.on('message', take)
settingsPort.unref()

// ---- connections

const passage = joinPassage(start.passage, {
  onJoined() {
    // This thread is ended from outside, which writes no cache of compiled code.
    setImmediate(() => flushCompileCache())
  },
  onMessage: offered,
  // Where it has been up, the other end has seen that by itself.
  onEnd: (error) => post({ type: 'unavailable', reason: error ?? 'the Unix socket between threads was closed' }),
})

/** The answer comes after the deed: what has no answer is given to somebody else, should this thread end here. */
function offered(kind: number, number: number, accepted: net.Socket | undefined): void {
  if (kind === OFFERS.makeRoom) {
    // One turn of the event loop: an idle connection whose next request has come already is not idle.
    setImmediate(() => {
      passage.answer(serving.clients.makeRoom() ? ANSWERS.roomMade : ANSWERS.noRoom, number)
    })
    return
  }
  if (accepted === undefined) {
    passage.answer(ANSWERS.lost, number)
    return
  }
  const isUnix = kind === OFFERS.unix || kind === OFFERS.unixOverLimit
  if (kind === OFFERS.tcp || kind === OFFERS.unix) serving.clients.takeIn(accepted, isUnix)
  else serving.clients.takeOver(accepted, isUnix)
  passage.answer(ANSWERS.taken, number)
}

// ---- the end

let hasEnded = false

function end(): void {
  if (hasEnded) return
  hasEnded = true
  void serving
    .end()
    .then(() => logging.flush())
    .then(() => post({ type: 'ended' }))
}

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'ask-to-leave':
      serving.clients.askToLeave()
      break
    case 'retire':
      if (!isBroken) serving.clients.retire(end)
      break
    case 'drain':
      serving.clients.drain(end)
      post({ type: 'draining' })
      break
    case 'cut':
      serving.clients.drain(end)
      serving.clients.destroy()
      end()
      break
    case 'refresh-metrics':
      serving.refreshMetrics()
      post({ type: 'refreshed', number: message.number })
      break
    case 'ledger':
      serving.takeLedger(message.way)
      break
    case 'forget-metrics':
      serving.forgetMetrics(message.label, message.values)
  }
})

let isBroken = false

/** What a bug has left half done is unknown: this thread takes nothing new, and another one takes its place. */
process.on('uncaughtException', (error: unknown) => {
  if (isBroken) return
  isBroken = true
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined }
  post({ type: 'broken', reason: message, stack })
  passage.close()
  serving.clients.drain(end)
  setTimeout(() => {
    // What the bug has left may throw again, and then nobody would be told of the end.
    try {
      serving.clients.destroy()
    } finally {
      end()
    }
  }, CRASH_DRAIN_MS)
})

setInterval(() => {
  gauges[GAUGES.beats]!++
}, HEARTBEAT_MS).unref()
