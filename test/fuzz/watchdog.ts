import { writeSync } from 'node:fs'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { writeFound } from './found.ts'
import { isTextTarget, type Target } from './target.ts'

/*
 * A check that never ends holds up its thread, so another one looks after it: what has not ended after a while is written
 * down, and the process is ended.
 */

const HANGS_MS = 20_000
const MAX_UNITS = 1 << 20
const [BEAT, LENGTH] = [0, 1]

interface Shared {
  readonly numbers: Int32Array
  /** The input, in UTF-16: as JSON where it is no text. */
  readonly units: Uint16Array
}

export class Watchdog {
  readonly #shared: Shared = {
    numbers: new Int32Array(new SharedArrayBuffer(8)),
    units: new Uint16Array(new SharedArrayBuffer(2 * MAX_UNITS)),
  }
  readonly #worker = new Worker(new URL(import.meta.url), { workerData: this.#shared })

  constructor() {
    this.#worker.unref()
  }

  watch(target: Target): void {
    this.#worker.postMessage({ name: target.name, isText: isTextTarget(target) })
  }

  begins(input: unknown): void {
    const text = typeof input === 'string' ? input : JSON.stringify(input)
    const length = Math.min(text.length, MAX_UNITS)
    const { numbers, units } = this.#shared
    for (let i = 0; i < length; i++) units[i] = text.charCodeAt(i)
    numbers[LENGTH] = length
    Atomics.add(numbers, BEAT, 1)
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }
}

function look({ numbers, units }: Shared): void {
  let target = { name: '', isText: true }
  let last = -1
  parentPort!.on('message', (next: typeof target) => {
    target = next
  })
  setInterval(() => {
    const beat = Atomics.load(numbers, BEAT)
    if (beat !== last || beat === 0) {
      last = beat
      return
    }
    const text = Buffer.from(units.slice(0, numbers[LENGTH]).buffer).toString('utf16le')
    const input: unknown = target.isText ? text : JSON.parse(text)
    const where = writeFound(target.name, 'breaks', `does not end within ${HANGS_MS / 1000} s`, input)
    // The main thread's console is held up with it.
    writeSync(2, `${target.name}: an input has not ended; it is in ${where}\n`)
    process.kill(process.pid, 'SIGKILL')
  }, HANGS_MS)
}

if (!isMainThread && parentPort !== null) look(workerData as Shared)
