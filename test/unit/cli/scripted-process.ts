/**
 * A process whose service is made for a test: it drains for as long as it is told to. `argv[2]` is how its drain ends
 * (`ended`, `cut`, `never`), `argv[3]` what else goes wrong (`throw`, `reject`, `start`).
 */
import { drain, serviceCommand } from '../../../src/cli/serve.ts'

const [, , drainEnds, wrong] = process.argv

const code = await serviceCommand(async ({ log }, processEvents) => {
  if (wrong === 'start') throw new Error('cannot start')
  const keepAlive = setInterval(() => {}, 60_000)
  processEvents.onHangup = () => log.info('Hangup seen')
  process.on('message', (message) => log.info('Message seen', { message: String(message) }))
  log.info('Running')
  if (wrong === 'throw') setImmediate(() => throwSomething())
  if (wrong === 'reject') setImmediate(() => void Promise.reject(new Error('a bug\nof ours')))
  await processEvents.stopRequested
  const gateway = {
    drain: () => (drainEnds === 'never' ? new Promise<boolean>(() => {}) : Promise.resolve(drainEnds === 'ended')),
  }
  const exitCode = await drain(gateway, processEvents, log, 100)
  clearInterval(keepAlive)
  return exitCode
})
process.exit(code)

function throwSomething(): never {
  throw new Error('a bug\nof ours')
}
