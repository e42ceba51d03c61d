import type { SecureContext } from 'node:tls'
import type { Address, Upstream } from '../config/snapshot.ts'
import { withoutFinalDot } from '../http/host.ts'
import { Deadline } from '../runtime/deadline.ts'
import { loadTls } from '../runtime/sockets.ts'
import { type Connectable, connectToAny, type Dial } from './connect.ts'
import { inTurn } from './in-turn.ts'
import type { Resolver } from './resolve.ts'
import { Sessions } from './sessions.ts'
import type { Tunnel } from './tunnel.ts'

/** One connection that somebody wants: how it is made, and who hears what becomes of it. */
export type Reach<C extends Connectable> = Pick<Dial<C>, 'alpn' | 'newConnection' | 'trying' | 'connected' | 'failed'>

/** Makes the connections to one endpoint. */
export class Dialler {
  /** One of those that lead here: all that concerns the way is the same for them. */
  readonly #upstream: Upstream
  readonly #resolver: Resolver
  readonly #port: number
  readonly #tunnel: Tunnel | undefined
  #secureContext: SecureContext | undefined = undefined
  readonly #sessions = new Sessions()
  #turn = 0

  constructor(upstream: Upstream, resolver: Resolver) {
    const { target, proxy } = upstream
    this.#upstream = upstream
    this.#resolver = resolver
    this.#port = proxy?.port ?? target.port
    this.#tunnel = proxy && { authority: authorityOf(upstream), authorization: proxy.authorization }
  }

  /** Makes a new connection, within this time. Returns how to cancel. */
  reach<C extends Connectable>(timeoutMs: number, reach: Reach<C>): () => void {
    const deadline = new Deadline(() => {
      giveUp()
      reach.failed('connect_timeout', undefined)
    })
    deadline.arm(timeoutMs)
    const started = performance.now()
    /** Of the look-up, then of the connecting; whatever was called back is over. */
    let cancel: (() => void) | undefined
    let isGivenUp = false
    const giveUp = (): void => {
      isGivenUp = true
      deadline.close()
      cancel?.()
    }
    const stopWaiting = this.#find((addresses, cause) => {
      deadline.close()
      if (isGivenUp) return
      if (addresses.length === 0) {
        reach.failed(this.#tunnel === undefined ? 'dns' : 'proxy_unreachable', cause)
        return
      }
      const leftMs = Math.max(1, timeoutMs - (performance.now() - started))
      cancel = this.#dial(inTurn(addresses, this.#turn++), leftMs, reach)
    })
    // Known addresses have been used already.
    cancel ??= stopWaiting
    return giveUp
  }

  #find(use: (addresses: readonly Address[], cause: string | undefined) => void): () => void {
    const { connectTo } = this.#upstream
    if (connectTo === undefined) {
      return this.#resolver.resolve((hosts, cause) =>
        use(
          hosts.map((host) => addressOf(host, this.#port)),
          cause,
        ),
      )
    }
    use(connectTo, undefined)
    return () => {}
  }

  #dial<C extends Connectable>(addresses: readonly Address[], timeoutMs: number, reach: Reach<C>): () => void {
    const { target, tls } = this.#upstream
    return connectToAny<C>(addresses, {
      ...reach,
      serverName: tls?.serverName ?? withoutFinalDot(target.host),
      secureContext: target.scheme === 'https' ? this.#context() : undefined,
      sessions: this.#sessions,
      tunnel: this.#tunnel,
      timeoutMs,
    })
  }

  #context(): SecureContext {
    const tls = this.#upstream.tls
    this.#secureContext ??= loadTls().createSecureContext({
      minVersion: 'TLSv1.2',
      // Whoever is named is trusted, also an authority below the root, or the server itself.
      ...(tls?.ca !== undefined ? { ca: tls.ca, allowPartialTrustChain: true } : {}),
      ...(tls?.cert !== undefined && tls.key !== undefined ? { cert: tls.cert, key: tls.key } : {}),
    })
    return this.#secureContext
  }
}

function addressOf(host: string, port: number): Address {
  return { host, port, path: '', text: `${host.includes(':') ? `[${host}]` : host}:${port}` }
}

/** Host and port of the target, as CONNECT wants them (RFC 9112 section 3.2.3). */
function authorityOf({ target }: Upstream): string {
  return addressOf(withoutFinalDot(target.host), target.port).text
}
