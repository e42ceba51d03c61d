import { latency } from './latency.ts'
import { idle, streams } from './memory.ts'
import { log, post, upload } from './posts.ts'
import type { Scenario } from './scenario.ts'
import { stream } from './stream.ts'

/** By the names that `--only` takes. */
export const scenarios: Readonly<Record<string, Scenario>> = { post, stream, upload, latency, idle, streams, log }
