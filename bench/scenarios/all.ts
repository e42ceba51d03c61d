import { latency } from './latency.ts'
import { idle, streams } from './memory.ts'
import { micro } from './micro.ts'
import {
  field,
  fresh,
  http2Post,
  length,
  log,
  metrics,
  post,
  sdk,
  tlsClientPost,
  tlsPost,
  tlsUpload,
  upload,
  usagePost,
  usageUpload,
} from './posts.ts'
import type { Scenario } from './scenario.ts'
import { start } from './start.ts'
import { stream, tlsStream, usageGzip, usageStream } from './stream.ts'
import { workers } from './workers.ts'

/** By the names that `--only` takes. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  post,
  length,
  field,
  sdk,
  stream,
  upload,
  'tls-post': tlsPost,
  'tls-stream': tlsStream,
  'tls-upload': tlsUpload,
  'tls-client-post': tlsClientPost,
  'h2-post': http2Post,
  fresh,
  workers,
  latency,
  start,
  idle,
  streams,
  log,
  metrics,
  'usage-post': usagePost,
  'usage-stream': usageStream,
  'usage-upload': usageUpload,
  'usage-gzip': usageGzip,
  micro,
}
