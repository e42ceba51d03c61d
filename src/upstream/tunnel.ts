import type { Socket } from 'node:net'
import type { FailureCode } from '../failure.ts'
import { HeadReader } from '../http1/head-reader.ts'
import { parseResponseHead } from '../http1/parse-response.ts'
import { connectProxy, enterTlsTunnel, enterTunnel, type Peer, type Reader, stopReading } from '../runtime/sockets.ts'
import { causeOf, isOutOfDescriptors } from './cause.ts'
import { type AttemptEvents, awaitReady, forgetting, type Security } from './straight.ts'

/** What a proxy is asked for. */
export interface Tunnel {
  /** Host and port of the target. */
  readonly authority: string
  /** Value of `Proxy-Authorization`. */
  readonly authorization: string | undefined
}

/** More interim responses than this before the proxy's answer are nonsense. */
const MAX_INTERIM_RESPONSES = 8

/** `closed`: it hung up without an answer. `proxy_answer`: what it said is no HTTP. `status_403` and so on: what it answered. */
type ProxyCause = 'closed' | 'proxy_answer' | `status_${number}`

type Answer = { readonly rest: Buffer } | { readonly failure: FailureCode; readonly cause: ProxyCause } | undefined

/**
 * One attempt to connect through a proxy (RFC 9110 section 9.3.6), with TLS to the target if there is a context for it. The proxy
 * gets the authority and its own login, and sees of everything else no more than what is in the tunnel. Returns how to give up.
 */
export function openTunnel(
  peer: Peer,
  { tunnel, ...security }: Security & { readonly tunnel: Tunnel | undefined },
  reader: Reader,
  events: AttemptEvents,
): () => void {
  const socket = connectProxy(peer)
  let failure: FailureCode = 'proxy_unreachable'
  let cause: string | undefined
  let giveUp = (): void => void socket.destroy()
  const onError = (error: NodeJS.ErrnoException): void => {
    if (isOutOfDescriptors(error)) failure = 'emfile'
    cause = causeOf(error)
  }
  const onClose = (): void => events.failed(failure, cause, false)
  socket.on('error', onError)
  socket.once('close', onClose)
  socket.once('connect', () => {
    failure = 'proxy_refused'
    cause = 'closed' satisfies ProxyCause
    events.reachedProxy()
    socket.write(connectHead(tunnel!), 'latin1')
  })
  readAnswer(socket, (answer) => {
    if ('failure' in answer) {
      socket.off('close', onClose)
      socket.destroy()
      events.failed(answer.failure, answer.cause, true)
      return
    }
    stopReading(socket)
    // Its reading has to return before somebody else reads from it.
    process.nextTick(() => {
      // Given up, or broken: whoever hears of that has heard.
      if (socket.destroyed) return
      socket.off('close', onClose)
      giveUp = enter(socket, answer.rest, security, reader, events)
    })
  })
  return () => giveUp()
}

function connectHead({ authority, authorization }: Tunnel): string {
  const login = authorization === undefined ? '' : `Proxy-Authorization: ${authorization}\r\n`
  return `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${login}\r\n`
}

function readAnswer(socket: Socket, tell: (answer: NonNullable<Answer>) => void): void {
  const heads = new HeadReader()
  let interims = 0
  const onData = (bytes: Buffer): void => {
    let at = 0
    for (;;) {
      at = heads.read(bytes, at, bytes.length)
      const answer = judge(heads, bytes.subarray(at))
      if (answer === 'incomplete') return
      if (answer !== 'interim' || ++interims > MAX_INTERIM_RESPONSES) {
        socket.off('data', onData)
        tell(answer === 'interim' ? NONSENSE : answer)
        return
      }
      heads.reset()
      if (at === bytes.length) return
    }
  }
  socket.on('data', onData)
}

const NONSENSE = { failure: 'proxy_refused', cause: 'proxy_answer' } as const

/** Any 2xx is a tunnel, whatever it says of a content: that has none. */
function judge({ state, text }: HeadReader, rest: Buffer): NonNullable<Answer> | 'incomplete' | 'interim' {
  if (state === 'incomplete') return 'incomplete'
  const head = state === 'whole' ? parseResponseHead(text, 'CONNECT') : undefined
  const status = typeof head === 'object' ? head.status : undefined
  if (status === undefined || status === 101) return NONSENSE
  if (status < 200) return 'interim'
  if (status < 300) return { rest }
  // tinyproxy says 401 to a wrong password.
  return { failure: status === 407 || status === 401 ? 'proxy_auth' : 'proxy_refused', cause: `status_${status}` }
}

/** What has come behind the proxy's answer belongs to the target already. */
function enter(
  proxied: Socket,
  rest: Buffer,
  { serverName, secureContext, alpn, sessions }: Security,
  reader: Reader,
  events: AttemptEvents,
): () => void {
  if (secureContext !== undefined) {
    if (rest.length > 0) proxied.unshift(rest)
    const socket = enterTlsTunnel(proxied, serverName, secureContext, alpn, reader, sessions)
    return awaitReady(socket, 'secureConnect', true, forgetting(sessions, events))
  }
  const socket = enterTunnel(proxied, reader)
  events.ready(socket, rest.length > 0 ? rest : undefined)
  return () => socket.destroy()
}
