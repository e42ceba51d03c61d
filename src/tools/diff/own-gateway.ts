import { assemble } from '../../config/assemble.ts'
import { DEFAULT_SETTINGS, type UpstreamSettings } from '../../config/settings.ts'
import { createGateway } from '../../gateway.ts'
import { createLog } from '../../observe/log.ts'
import { type Place, urlOf } from './client.ts'
import type { Job } from './job.ts'

/** A gateway of this version in this process, with the keys and the upstreams of a configuration. */

export interface OwnGateway {
  readonly place: Place
  close(): Promise<unknown>
}

/** @param origin takes the place of the upstream's target; `Host`, base path, prefix and credential stay those of the upstream */
export async function startOwnGateway({ settings, upstream }: Job, origin: Place): Promise<OwnGateway> {
  const target = { ...upstream.target, scheme: origin.scheme, host: origin.host, port: origin.port }
  const redirected: UpstreamSettings = { ...upstream, target, tls: undefined, endpoint: urlOf(origin) }
  const configuration = assemble({
    ...settings,
    server: { ...DEFAULT_SETTINGS.server, bindAddress: { host: '127.0.0.1', port: 0, text: '127.0.0.1:0' } },
    upstreams: settings.upstreams.map((other) => (other.name === upstream.name ? redirected : other)),
  })
  const log = createLog({ level: 'error', format: 'text', colour: false }, (line) => process.stderr.write(line))
  const gateway = createGateway({ ...configuration, generation: 1 }, { log, writeRecord: () => {} })
  const bound = await gateway.listen()
  if (!bound.ok) throw new Error(`127.0.0.1 cannot be listened on: ${bound.error}`)
  const { address } = bound
  const port = Number(address.slice(address.lastIndexOf(':') + 1))
  const place: Place = { role: 'gateway', scheme: 'http', host: '127.0.0.1', port, authority: address, basePath: '' }
  return { place, close: () => gateway.drain() }
}
