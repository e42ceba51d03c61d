import type { Identity, Snapshot, Upstream, Version } from '../config/snapshot.ts'
import type { FailureCode } from '../failure.ts'
import { type Downstream, isRefused, type RefusedHead, type ResponseSink } from '../http/downstream.ts'
import type { FieldLine, RequestHead } from '../http/message.ts'
import type { UpstreamConnection } from '../http/upstream-connection.ts'
import type { Traffic, UpstreamCounts } from '../metrics/traffic.ts'
import type { RequestRecord } from '../observe/record.ts'
import type { ByteStore } from '../runtime/byte-store.ts'
import { monotonicMs } from '../runtime/clock.ts'
import type { Deadline } from '../runtime/deadline.ts'
import type { Pool } from '../upstream/pool.ts'
import type { Pools } from '../upstream/pools.ts'
import type { Meter, Metering } from './meter.ts'

/** What the path of every request shares. */
export interface Path {
  /** The snapshot that new exchanges take. */
  snapshot: Snapshot
  /** On a worker: puts in force what has been published meanwhile. Before a head is judged, and not between that and its exchange. */
  readonly catchUp: (() => void) | undefined
  readonly pools: Pools<Exchange>
  readonly writeRecord: (record: RequestRecord, snapshot: Snapshot) => void
  /** Where traffic is counted, once somebody wants metrics. */
  traffic: Traffic | undefined
  /** For what its exchanges use. */
  readonly metering: Metering
  readonly reportRefusal: (exchange: Exchange, failure: FailureCode) => void
  readonly reportBug: (error: unknown) => void
}

const NO_PAIRS: readonly number[] = []

/** One request and its responses. All that is known of it stands here, every field from the beginning. */
export class Exchange {
  readonly path: Path
  readonly snapshot: Snapshot
  readonly downstream: Downstream<Exchange>
  readonly response: ResponseSink
  /** Undefined where the head itself was refused. */
  readonly head: RequestHead | undefined
  readonly refusedHead: RefusedHead | undefined
  readonly startedAtMs: number

  // authenticate
  identity: Identity | undefined = undefined
  /** The line that carried the gateway key, or an anonymous client's own credential, if it sent one. */
  credentialLine: FieldLine | undefined = undefined
  /** Further lines that hold the gateway key, of any field. */
  strays: readonly FieldLine[] = []

  /** The gateway key, where the request shows no other. */
  soleKey: string | undefined = undefined
  /** The key that opened the door, wherever it stood, and further ones of the same owner; empty for an anonymous client. */
  key = ''
  otherKeys: readonly string[] | undefined = undefined
  /** Pairs of the query that hold a key, or what an anonymous client used for one: they do not go on as they are. */
  queryKeys: readonly number[] = NO_PAIRS

  // route
  upstream: Upstream | undefined = undefined

  // attempt
  /** The request target that the upstream sees. */
  upstreamTarget = ''
  /** The request head that the upstream sees. */
  upstreamHead = ''
  /** Kept for a second attempt: a reload may have retired it meanwhile, and then it keeps no connection. */
  pool: Pool<Exchange> | undefined = undefined
  /** What it may be sent over. */
  version: Version = 'http1'
  connection: UpstreamConnection<Exchange> | undefined = undefined
  /** A login belongs to this connection rather than to its requests: see login. */
  isLogin = false
  cancelConnect: (() => void) | undefined = undefined
  /** The first body bytes, while there is no connection to send them on. */
  held: Buffer | undefined = undefined
  /** How much of it is content. */
  heldContent = 0
  /** The body so far, as long as the request may have to be sent once more. */
  replay: ByteStore | undefined = undefined
  hasRetried = false
  /** Content that came when the upstream took no more: it is with what is kept, if the request goes out again. */
  untakenContent = 0

  // relay
  isRequestDone = false
  /** The upstream does not take more of the request at the moment. */
  isSendBlocked = false
  /** A 100 has been relayed. */
  hasContinued = false
  /** Which clock runs: see watch. */
  clock: 'none' | 'body' | 'response' | 'idle' = 'none'
  isHeadSent = false
  isResponseDone = false
  /** The answer was whole before the request was. */
  isEarly = false
  /** The response ends with the connection: if it breaks off, only a reset can say so. */
  isUntilClose = false
  keepsClient = false
  /** The answer is out and the rest of the request is not wanted any more. */
  isRestUnwanted = false
  isCompleting = false
  hasClientLeft = false
  /** Its client's connection may be gone, and a stop must not end before its record: see `settled`. */
  isUnsettled = false
  /** An answer of our own is on its way, and has its own time to be taken. */
  isAnswered = false
  /** Bytes of the answer's tail that wait in memory: see tail. */
  tailBytes = 0
  /** Runs where neither side has a clock any more: after the client's leaving, and while last bytes wait to be taken. */
  deadline: Deadline | undefined = undefined

  // tunnel
  /** The upstream has switched (101). From then on each way is done with its sender's FIN, and delivered when that is out. */
  isTunnel = false
  isRequestDelivered = false
  isResponseDelivered = false

  // record
  failure: FailureCode | undefined = undefined
  status: number | undefined = undefined
  /** Content that was relayed, without framing. */
  requestBytes = 0
  responseBytes = 0
  /** Bytes of bodies that were relayed, framing and all: what moves is not silent. */
  relayedBytes = 0
  responseBodyLength: string | undefined = undefined
  /** What the upstream calls this exchange. */
  requestId: string | undefined = undefined
  headAtMs = 0
  endedAtMs = 0
  /** Why it failed, in a word of a fixed vocabulary (`ECONNREFUSED`, `CERT_HAS_EXPIRED`); never from the peer's bytes. */
  cause: string | undefined = undefined
  /** The address with its port that was used or tried last; a proxy's where there is one. */
  upstreamAddress: string | undefined = undefined
  isOver = false

  // meter
  /** Undefined where nobody looks at what it uses. */
  meter: Meter | undefined = undefined

  // measure
  /** Its head was read to the end, which is later than its start where that took several reads. */
  readonly headReadMs: number
  counts: UpstreamCounts | undefined = undefined
  connectingAtMs = 0
  /** Waited for connections, so far. */
  connectMs = 0
  hasReached = false
  isStreaming = false

  constructor(
    path: Path,
    downstream: Downstream<Exchange>,
    head: RequestHead | RefusedHead,
    headBeganMs: number | undefined,
  ) {
    this.path = path
    this.snapshot = path.snapshot
    this.downstream = downstream
    this.response = downstream.response
    this.head = isRefused(head) ? undefined : head
    this.refusedHead = isRefused(head) ? head : undefined
    this.startedAtMs = headBeganMs ?? monotonicMs()
    this.headReadMs = headBeganMs === undefined || path.traffic === undefined ? this.startedAtMs : monotonicMs()
    this.isRequestDone = isRefused(head) || downstream.isRequestComplete
  }
}
