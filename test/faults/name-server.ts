import { spawnSync } from 'node:child_process'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DEADLINE_MS, Watch } from '../support/deadline.ts'

/** IPv4 addresses, one of the errors of RFC 1035, or no answer at all. */
export type NameAnswer = readonly string[] | 'SERVFAIL' | 'NXDOMAIN' | 'silence'

const RESPONSE_CODES = { SERVFAIL: 2, NXDOMAIN: 3 } as const
const TYPE_A = 1
/** Header, and in the answers a pointer to the name in the question. */
const HEADER_BYTES = 12
const NAME_OF_THE_QUESTION = 0xc000 + HEADER_BYTES

/** Why there can be no name server here: port 53 and another /etc/resolv.conf need root and Linux's namespaces. */
export function whyNoNameServer(): string | false {
  if (process.platform !== 'linux' || process.geteuid?.() !== 0) return 'needs root on Linux'
  return spawnSync('unshare', ['--mount', 'true']).status === 0 ? false : 'unshare(1) does not work here'
}

/** A name server of its own for one gateway. */
export class NameServer implements AsyncDisposable {
  /** Every name that an IPv4 address was asked of, in order. */
  readonly questions: string[] = []
  readonly answers: Record<string, NameAnswer>
  readonly #socket = dgram.createSocket('udp4')
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'fluxgate-names-'))
  readonly #watch = new Watch()

  constructor(answers: Record<string, NameAnswer>) {
    this.answers = answers
    this.#socket.on('message', (question, { port, address }) => {
      const answer = this.#answer(question)
      if (answer !== undefined) this.#socket.send(answer, port, address)
      this.#watch.notice()
    })
  }

  async listen(): Promise<this> {
    const part = (): number => 1 + Math.floor(Math.random() * 254)
    const address = `127.${part()}.${part()}.${part()}`
    this.#socket.bind(53, address)
    await once(this.#socket, 'listening')
    writeFileSync(this.#resolvConf, `nameserver ${address}\nsearch .\noptions timeout:30 attempts:1\n`)
    writeFileSync(this.#nsswitchConf, 'hosts: files dns\n')
    return this
  }

  get #resolvConf(): string {
    return path.join(this.#folder, 'resolv.conf')
  }

  get #nsswitchConf(): string {
    return path.join(this.#folder, 'nsswitch.conf')
  }

  /** What starts a gateway that asks this name server and no other. */
  get under(): readonly string[] {
    const script = 'mount --bind "$1" /etc/resolv.conf; mount --bind "$2" /etc/nsswitch.conf; shift 2; exec "$@"'
    return ['unshare', '--mount', 'sh', '-c', script, 'sh', this.#resolvConf, this.#nsswitchConf]
  }

  /** Resolves when it has been asked the n-th time for this name's address. */
  async asked(name: string, times = 1, ms: number = DEADLINE_MS): Promise<void> {
    const count = (): number => this.questions.filter((question) => question === name).length
    await this.#watch.until(() => count() >= times, `question ${times} for ${name}; so far: ${this.questions}`, ms)
  }

  #answer(question: Buffer): Buffer | undefined {
    const { name, type, end } = readQuestion(question)
    if (type === TYPE_A) this.questions.push(name)
    const answer = this.answers[name] ?? 'NXDOMAIN'
    if (answer === 'silence') return undefined
    const addresses = typeof answer !== 'string' && type === TYPE_A ? answer : []
    const header = Buffer.from(question.subarray(0, HEADER_BYTES))
    const responseCode = typeof answer === 'string' ? RESPONSE_CODES[answer] : 0
    header.writeUInt16BE(0x8180 + responseCode, 2)
    header.writeUInt16BE(addresses.length, 6)
    header.writeUInt32BE(0, 8)
    return Buffer.concat([header, question.subarray(HEADER_BYTES, end), ...addresses.map(addressRecord)])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close()
    rmSync(this.#folder, { recursive: true })
  }
}

function readQuestion(message: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = HEADER_BYTES
  for (let length = message[at]!; length > 0; length = message[at]!) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 }
}

function addressRecord(address: string): Buffer {
  const record = Buffer.alloc(16)
  record.writeUInt16BE(NAME_OF_THE_QUESTION, 0)
  record.writeUInt16BE(TYPE_A, 2)
  record.writeUInt16BE(1, 4)
  record.writeUInt16BE(4, 10)
  record.set(address.split('.').map(Number), 12)
  return record
}

export function startNameServer(answers: Record<string, NameAnswer>): Promise<NameServer> {
  return new NameServer(answers).listen()
}
