import type { Configuration } from '../config/assemble.ts'
import type { Upstream } from '../config/snapshot.ts'
import { announce, EVENTS } from '../observe/events.ts'
import type { Log } from '../observe/log.ts'

/** Where the operator has asked for other fields than the client's, the log says so: whoever debugs it looks there first. */
export function announceChangedFields(log: Log, { upstreams }: Configuration): void {
  for (const upstream of upstreams) {
    const changes = changesOf(upstream)
    if (changes !== undefined) announce(log, EVENTS.fieldsChanged, { upstream: upstream.name, ...changes })
  }
}

/** Names alone: a value may be a secret. */
function changesOf({ fields, rewritesLocation, rewritesUploadUrl }: Upstream): Record<string, string> | undefined {
  const changes: Record<string, string> = {}
  if (fields !== undefined) {
    const set = fields.set.map((line) => line.slice(0, line.indexOf(':')))
    if (fields.remove.length > 0) changes.removed = fields.remove.join(', ')
    if (set.length > 0) changes.set = set.join(', ')
    if (fields.keep.size > 0) changes.kept = [...fields.keep].join(', ')
  }
  const rewritten = rewritesLocation ? ['location', 'content-location'] : []
  if (rewritesUploadUrl) rewritten.push('x-goog-upload-url')
  if (rewritten.length > 0) changes.rewritten = rewritten.join(', ')
  return Object.keys(changes).length === 0 ? undefined : changes
}
