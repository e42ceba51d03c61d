/**
 * `prober.ts <samples> <interval µs> <targets as JSON>`: one request at a time, at a fixed rate unless the answer takes
 * longer, in short blocks to each target in turn. Prints the round trips of each in microseconds, or what went wrong.
 */
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { microsNow } from './event.ts'
import { requestText, type Target } from './request.ts'

const [samples, interval] = process.argv.slice(2, 4).map(Number) as [number, number]
const targets = JSON.parse(process.argv[4]!) as Target[]
const BLOCK = 50
/** A second of nothing but requests: thousands, so that what compiles itself has done so. */
const WARM_UP_MICROS = 1e6
const PATIENCE_MS = 5000

/** One kept-alive connection to a target. */
class Probe {
  readonly micros: number[] = []
  readonly name: string
  error: string | undefined
  readonly #request: string
  readonly #socket: net.Socket
  #received = ''
  #settle: (() => void) | undefined

  constructor(target: Target) {
    this.name = target.name
    this.#request = requestText(target, false)
    this.#socket = net.connect({ port: target.port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#socket.on('error', (error) => this.#fail(error.message))
    this.#socket.on('close', () => this.#fail('the connection was closed'))
    this.#socket.setTimeout(PATIENCE_MS)
  }

  async ask(isCounted: boolean): Promise<void> {
    if (this.error !== undefined) return
    const answered = new Promise<void>((settle) => {
      this.#settle = settle
    })
    // A target waits for its turn as long as it takes; an answer may not.
    this.#socket.once('timeout', this.#late)
    const sentAt = microsNow()
    this.#socket.write(this.#request)
    await answered
    if (isCounted) this.micros.push(microsNow() - sentAt)
    this.#socket.off('timeout', this.#late)
  }

  readonly #late = (): void => this.#fail(`no answer within ${PATIENCE_MS} ms`)

  #read(chunk: Buffer): void {
    this.#received += chunk.toString('latin1')
    // The last bytes of the answer, in a message of known length or of chunks.
    if (!/}(?:\r\n0\r\n\r\n)?$/.test(this.#received)) return
    if (!this.#received.startsWith('HTTP/1.1 200')) this.#fail(this.#received.split('\r\n', 1)[0]!)
    this.#received = ''
    this.#settle?.()
  }

  #fail(why: string): void {
    this.error ??= why
    this.#settle?.()
  }
}

const probes = targets.map((target) => new Probe(target))
for (const probe of probes) {
  const end = microsNow() + WARM_UP_MICROS
  while (probe.error === undefined && microsNow() < end) await probe.ask(false)
}
for (let done = 0; done < samples; done += BLOCK) {
  for (const probe of probes) {
    let due = microsNow()
    for (let i = 0; i < BLOCK && probe.error === undefined; i++) {
      due += interval
      await probe.ask(true)
      const wait = due - microsNow()
      if (wait > 0) await sleep(wait / 1000)
    }
  }
}
console.log(JSON.stringify(probes.map(({ name, micros, error }) => ({ name, micros, error }))))
process.exit(0)
