import { CA, SERVER_CERTIFICATE, SERVER_KEY } from '../../test/support/certificates.ts'
import { contenderCores } from '../machine/processes.ts'
import { versionOf } from '../machine/programs.ts'
import {
  CLIENT_KEY,
  type Contender,
  FULL_LOAD,
  MAX_CONNECTIONS,
  PREFIX,
  PROVIDER_KEY,
  prefixed,
  type Situation,
} from './contender.ts'
import { OUTPUT, serve, writeTo } from './server.ts'

export function haproxy(): Contender {
  return {
    ...prefixed,
    name: 'haproxy',
    version: versionOf('haproxy') ?? '',
    load: FULL_LOAD,
    log: OUTPUT,
    checksKey: true,
    start: (situation) =>
      serve(contenderCores(situation.workers), (port, folder) => {
        const path = writeTo(folder, 'haproxy.cfg', configuration(port, folder, situation))
        return { command: ['haproxy', '-f', path] }
      }),
  }
}

/**
 * It asks for two files for each connection, more than a usual limit of files allows, and would not start without
 * `no strict-limits`. Without http-no-delay it may hold small pieces back for a moment. Cutting the path at a length is
 * the cheapest of its ways to strip a prefix.
 */
function configuration(port: number, folder: string, { originPort, isTls, clients, workers = 1 }: Situation): string {
  const tls = isTls ? ` ssl verify required ca-file ${writeTo(folder, 'ca.pem', CA)}` : ''
  const pem = clients === 'tls' ? ` ssl crt ${writeTo(folder, 'both.pem', SERVER_CERTIFICATE + SERVER_KEY)}` : ''
  const door = clients === 'http2' ? ' proto h2' : pem
  return `global
  nbthread ${workers}
  maxconn ${MAX_CONNECTIONS}
  no strict-limits
  log stdout format raw local0 info
defaults
  mode http
  log global
  option httplog
  option http-no-delay
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
frontend clients
  bind 127.0.0.1:${port}${door}
  http-request deny deny_status 401 unless { req.hdr(authorization) -m str "Bearer ${CLIENT_KEY}" }
  http-request deny deny_status 404 unless { path_beg ${PREFIX}/ }
  http-request set-path %[path,bytes(${PREFIX.length})]
  http-request set-header Authorization "Bearer ${PROVIDER_KEY}"
  http-request set-header Host 127.0.0.1:${originPort}
  default_backend origin
backend origin
  http-reuse always
  server origin 127.0.0.1:${originPort}${tls}
`
}
