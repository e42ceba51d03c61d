/**
 * A process whose service is made for a test: it drains for as long as it is told to. `argv[2]` is how its drain ends
 * (`ended`, `cut`, `never`), `argv[3]` what else goes wrong or on (`throw`, `reject`, `start`,
 * `throw at once`, `hangup`, `warning`).
 */
import { drain, serviceCommand } from '../../../src/cli/serve.ts'

const [, , drainEnds, wrong] = process.argv
let hangups = 0
process.on('SIGHUP', () => hangups++)

const code = await serviceCommand(async ({ log }, processEvents) => {
  if (wrong === 'start') throw new Error('cannot start')
  const keepAlive = setInterval(() => {}, 60_000)
  if (wrong === 'hangup') {
    process.kill(process.pid, 'SIGHUP')
    // The signal has been taken by then, with nothing there to be reloaded.
    while (hangups === 0) await new Promise(setImmediate)
  }
  processEvents.onHangup(() => log.info('Hangup seen'))
  process.on('message', (message) => log.info('Message seen', { message: String(message) }))
  processEvents.onStopAtOnce(() => log.info('Cut'))
  if (wrong === 'throw at once') processEvents.onStopAtOnce(() => throwSomething())
  log.info('Running')
  if (wrong === 'warning') process.emitWarning('something odd', 'OddWarning', 'ODD')
  if (wrong === 'throw') setImmediate(() => throwSomething())
  if (wrong === 'reject') setImmediate(() => void Promise.reject(new Error('a bug\nof ours')))
  await processEvents.stopRequested
  const gateway = {
    drain: () =>
      drainEnds === 'never' ? new Promise<number>(() => {}) : Promise.resolve(drainEnds === 'ended' ? 0 : 2),
  }
  const exitCode = await drain(gateway, processEvents, log, 100)
  clearInterval(keepAlive)
  return exitCode
})
process.exit(code)

function throwSomething(): never {
  throw new Error('a bug\nof ours')
}
