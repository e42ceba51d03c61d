import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CA } from '../../test/support/certificates.ts'
import { contenderCores, LOAD_CORE } from '../machine/processes.ts'
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
import { certificateIn, type Preparation, type Server, serve, writeTo } from './server.ts'

const LOG = 'access.log'

export function nginx(): Contender {
  return {
    ...prefixed,
    name: 'nginx',
    version: versionOf('nginx') ?? '',
    load: FULL_LOAD,
    log: LOG,
    checksKey: true,
    start: (situation) =>
      serve(contenderCores(situation.workers), (port, folder) =>
        prepare(folder, proxy(port, folder, situation), situation.workers),
      ),
  }
}

/** An origin that answers a small request at the least possible cost. */
export function nginxOrigin(answer: string, isTls: boolean): Promise<Server> {
  return serve(String(LOAD_CORE), (port, folder) => {
    const listen = `listen 127.0.0.1:${port}${isTls ? ` ssl; ${certificate(folder)}` : ';'}`
    const location = `location / { default_type application/json; return 200 '${answer}'; }`
    return prepare(folder, `access_log off; server { ${listen} ${location} }`)
  })
}

function certificate(folder: string): string {
  const [cert, key] = certificateIn(folder)
  return `ssl_certificate ${cert}; ssl_certificate_key ${key};`
}

function prepare(folder: string, http: string, workers = 1): Preparation {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const path = join(folder, 'nginx.conf')
  writeFileSync(
    path,
    `worker_processes ${workers}; daemon off; error_log stderr crit; pid ${folder}/pid;
events { worker_connections ${MAX_CONNECTIONS}; }
http {
  keepalive_requests 100000000; keepalive_timeout 600s; client_max_body_size 0;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
  ${http}
}`,
  )
  return { command: ['nginx', '-c', path, '-p', folder] }
}

function proxy(port: number, folder: string, { originPort, isTls, clients }: Situation): string {
  return `access_log ${folder}/${LOG};
  map $http_authorization $is_known { default 0; "Bearer ${CLIENT_KEY}" 1; }
  upstream origin { server 127.0.0.1:${originPort}; keepalive 512; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port}${clients === 'tls' ? ' ssl' : ''}${clients === 'http2' ? ' http2' : ''};
    ${clients === 'tls' ? certificate(folder) : ''}
    location ${PREFIX}/ {
      if ($is_known = 0) { return 401; }
      proxy_pass ${isTls ? 'https' : 'http'}://origin/; proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off;
      proxy_set_header Connection ""; proxy_set_header Host 127.0.0.1:${originPort};
      proxy_set_header Authorization "Bearer ${PROVIDER_KEY}";
      ${isTls ? verified(folder) : ''}
    }
  }`
}

/** It compares names with names only: an address in a certificate it would not find. */
function verified(folder: string): string {
  const ca = writeTo(folder, 'ca.pem', CA)
  return `proxy_ssl_verify on; proxy_ssl_trusted_certificate ${ca}; proxy_ssl_name provider.test; proxy_ssl_session_reuse on;`
}
