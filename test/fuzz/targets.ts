import type { Target } from './target.ts'
import { chunkedBody } from './targets/chunked-body.ts'
import { configuration } from './targets/configuration.ts'
import { credentials } from './targets/credentials.ts'
import { diffReader } from './targets/diff-reader.ts'
import { downloads, uploads } from './targets/exchanges.ts'
import { fidelity } from './targets/fidelity.ts'
import { http2Streams } from './targets/http2-streams.ts'
import { logLine } from './targets/log-line.ts'
import { proxyHeader } from './targets/proxy-header.ts'
import { redaction } from './targets/redaction.ts'
import { repeatedHeads } from './targets/repeated-heads.ts'
import { requestHead } from './targets/request-head.ts'
import { routing } from './targets/routing.ts'
import { responseHead, smuggling } from './targets/smuggling.ts'
import { sockets } from './targets/sockets.ts'
import { tokenBytes, tokenClaims } from './targets/tokens.ts'
import { usage } from './targets/usage.ts'
import { wholeGateway } from './targets/whole-gateway.ts'

/** Everything that `npm run fuzz` knows to try. */
export const TARGETS: readonly Target[] = [
  requestHead,
  proxyHeader,
  responseHead,
  chunkedBody,
  smuggling,
  fidelity,
  uploads,
  downloads,
  http2Streams,
  repeatedHeads,
  sockets,
  wholeGateway,
  routing,
  credentials,
  configuration,
  tokenBytes,
  tokenClaims,
  logLine,
  redaction,
  usage,
  diffReader,
]
