import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { describe, test } from 'node:test'
import {
  type Joined,
  joinPassage,
  MAX_NUMBER,
  openPassage,
  type Passage,
  type PassageAddress,
  whyNoPassage,
} from '../../../src/runtime/handle-passing.ts'
import { within } from '../../support/deadline.ts'

interface Message {
  readonly kind: number
  readonly number: number
  readonly accepted: net.Socket | undefined
}

/** Both ends, here in one thread; what comes at each is kept. */
class Ends implements Disposable {
  readonly answers: [number, number][] = []
  readonly messages: Message[] = []
  readonly opened: Passage
  joined!: Joined
  readonly #joined = Promise.withResolvers<void>()
  readonly ended = Promise.withResolvers<void>()
  readonly left = Promise.withResolvers<void>()
  #waits: (() => void) | undefined

  constructor() {
    this.opened = openPassage({
      onJoined: () => this.#joined.resolve(),
      onAnswer: (kind, number) => {
        this.answers.push([kind, number])
        this.#waits?.()
      },
      onUnsent: (_, error) => assert.fail(error),
      onEnd: () => this.ended.resolve(),
      onUnavailable: (reason) => assert.fail(reason),
    })
  }

  async join(address: PassageAddress = this.opened.address): Promise<void> {
    this.joined = joinPassage(address, {
      onJoined() {},
      onMessage: (kind, number, accepted) => {
        this.messages.push({ kind, number, accepted })
        this.#waits?.()
      },
      onEnd: () => this.left.resolve(),
    })
    await within(this.#joined.promise, 'the other end')
  }

  async until(look: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waits = () => {
      if (look()) resolve()
    }
    this.#waits()
    await within(promise, 'messages')
  }

  [Symbol.dispose](): void {
    this.opened.close()
    this.joined.close()
  }
}

/** A connection as a server with `pauseOnConnect` accepts it, and its client. */
async function accept(t: { after(done: () => void): void }): Promise<{ accepted: net.Socket; client: net.Socket }> {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  const [accepted] = (await once(server, 'connection')) as [net.Socket]
  server.close()
  t.after(() => client.destroy())
  return { accepted, client }
}

describe('between two threads', { skip: whyNoPassage() ?? false, concurrency: true }, () => {
  test('a connection goes over, with nothing read of it, and lives on when the first end lets go of it', async (t) => {
    using ends = new Ends()
    await ends.join()
    const { accepted, client } = await accept(t)
    client.write('hello')
    ends.opened.send(7, 0x1234, accepted)
    await ends.until(() => ends.messages.length === 1)
    const { kind, number, accepted: taken } = ends.messages[0]!
    assert.deepEqual([kind, number], [7, 0x1234])
    ends.joined.answer(3, number)
    await ends.until(() => ends.answers.length === 1)
    assert.deepEqual(ends.answers, [[3, 0x1234]])
    accepted.destroy()
    assert.equal(taken!.remoteAddress, '127.0.0.1')
    const [bytes] = (await once(taken!.resume(), 'data')) as [Buffer]
    assert.equal(bytes.toString(), 'hello')
    taken!.end('back')
    const [back] = (await once(client, 'data')) as [Buffer]
    assert.equal(back.toString(), 'back')
  })

  test('many messages, with and without connections, keep their order, and each connection its message', async (t) => {
    using ends = new Ends()
    await ends.join()
    const many = await Promise.all(Array.from({ length: 40 }, () => accept(t)))
    for (const [n, { client }] of many.entries()) client.write(`${n}`)
    for (const [n, { accepted }] of many.entries()) {
      // Kinds and numbers with every bit that there is.
      ends.opened.send(1, n, accepted)
      ends.opened.send(127, MAX_NUMBER - n, undefined)
    }
    await ends.until(() => ends.messages.length === 80)
    const withConnection = ends.messages.filter(({ kind }) => kind === 1)
    assert.deepEqual(
      withConnection.map(({ number }) => number),
      many.map((_, n) => n),
    )
    for (const { number, accepted } of withConnection) {
      const [bytes] = (await once(accepted!.resume(), 'data')) as [Buffer]
      assert.equal(bytes.toString(), `${number}`)
      accepted!.destroy()
    }
    for (const { kind, number, accepted } of ends.messages) {
      if (kind !== 1) assert.ok(accepted === undefined && number > MAX_NUMBER - 40)
    }
    for (const { accepted } of many) accepted.destroy()
  })

  test('who does not know the word is left outside, and the one that does comes in all the same', async () => {
    using ends = new Ends()
    const { path, nonce } = ends.opened.address
    const silent = net.connect({ path })
    const wrong = net.connect({ path })
    for (const stranger of [silent, wrong]) stranger.on('error', () => {})
    await Promise.all([once(silent, 'connect'), once(wrong, 'connect')])
    wrong.resume().write(Buffer.from(nonce).map((octet) => octet ^ 1))
    await within(once(wrong, 'close'), 'the end of a stranger')
    await ends.join()
    await within(once(silent.resume(), 'close'), 'the end of another')
    const late = net.connect({ path })
    const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'ECONNREFUSED', 'nothing is listened on any more')
  })

  test('a crowd of strangers keeps nobody out', async () => {
    using ends = new Ends()
    const { path } = ends.opened.address
    const crowd = Array.from({ length: 60 }, () => net.connect({ path }))
    for (const stranger of crowd) stranger.on('error', () => {})
    const ended = Promise.all(crowd.map((stranger) => new Promise((resolve) => stranger.resume().on('close', resolve))))
    await Promise.all(crowd.map((stranger) => once(stranger, 'connect')))
    await ends.join()
    await within(ended, 'the end of the crowd')
  })

  test('who is sent away at the door comes again', async () => {
    const path = `\0fluxgate-test-${process.pid}-${performance.now()}`
    const nonce = Buffer.alloc(32, 7)
    const visits: net.Socket[] = []
    const stayed = Promise.withResolvers<Buffer>()
    const server = net.createServer((visitor) => {
      visits.push(visitor)
      if (visits.length < 4) visitor.destroy()
      else visitor.once('data', stayed.resolve)
    })
    server.listen(path)
    await once(server, 'listening')
    const joined = joinPassage(
      { path, nonce },
      { onJoined() {}, onMessage() {}, onEnd: () => assert.fail('it gave up') },
    )
    assert.deepEqual(await within(stayed.promise, 'the word'), nonce)
    joined.close()
    server.close()
    visits.at(-1)!.destroy()
  })

  test('each end is told that the other has gone', async () => {
    using first = new Ends()
    await first.join()
    first.joined.answer(1, 1)
    first.joined.close()
    await within(first.ended.promise, 'the end')
    assert.deepEqual(first.answers, [[1, 1]], 'after its last answer')
    using second = new Ends()
    await second.join()
    second.opened.close()
    await within(second.left.promise, 'the end')
  })
})
