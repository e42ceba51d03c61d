import type { ChildProcess } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { CONTENDER_CORE, freePort, LOAD_CORE, pinned, stop, untilListening } from './processes.ts'

export const CLIENT_KEY = 'bench-client-key-0123456789'
const PROVIDER_KEY = 'sk-bench-provider-0123456789'
export const PREFIX = '/openai'

/** A server that was started in a folder of its own. */
export interface Server {
  readonly port: number
  readonly pid: number
  close(): Promise<void>
}

export type Start = (originPort: number) => Promise<Server>

/** Both check a key, swap it for the provider's, set Host, keep upstream connections open and write an access log. */
export const contenders = {
  fluxgate: (originPort) =>
    serve(CONTENDER_CORE, (port, folder) => {
      const path = join(folder, 'fluxgate.yaml')
      writeFileSync(path, fluxgateYaml(port, originPort))
      return [resolve('bin/fluxgate'), '--config', path]
    }),
  nginx: (originPort) => serve(CONTENDER_CORE, (port, folder) => nginx(folder, proxyConf(port, folder, originPort))),
} satisfies Record<string, Start>

/** An origin that answers a small request at the least possible cost. */
export function smallOrigin(answer: string): Promise<Server> {
  const conf = (port: number): string =>
    `access_log off; server { listen 127.0.0.1:${port}; location / { default_type application/json; return 200 '${answer}'; } }`
  return serve(LOAD_CORE, (port, folder) => nginx(folder, conf(port)))
}

async function serve(core: number, prepare: (port: number, folder: string) => string[]): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'fluxgate-bench-'))
  const port = await freePort()
  const output = openSync(join(folder, 'output.log'), 'w')
  const child: ChildProcess = pinned(core, prepare(port, folder), ['ignore', output, output])
  closeSync(output)
  await untilListening(port, child)
  return {
    port,
    pid: child.pid!,
    close: async () => {
      await stop(child)
      rmSync(folder, { recursive: true })
    },
  }
}

function fluxgateYaml(port: number, originPort: number): string {
  return `version: 1
server: { bind_address: "127.0.0.1:${port}" }
upstreams:
  openai: { request_path: ${PREFIX}, target_url: "http://127.0.0.1:${originPort}", api_key: ${PROVIDER_KEY} }
api_keys: { static: [{ id: bench, key: ${CLIENT_KEY} }] }
`
}

function nginx(folder: string, http: string): string[] {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const path = join(folder, 'nginx.conf')
  writeFileSync(
    path,
    `worker_processes 1; daemon off; error_log /dev/null; pid ${folder}/pid; events { worker_connections 8192; }
http {
  keepalive_requests 100000000; keepalive_timeout 600s; client_max_body_size 0;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
  ${http}
}`,
  )
  return ['nginx', '-c', path, '-p', folder]
}

function proxyConf(port: number, folder: string, originPort: number): string {
  return `access_log ${folder}/access.log;
  map $http_authorization $is_known { default 0; "Bearer ${CLIENT_KEY}" 1; }
  upstream origin { server 127.0.0.1:${originPort}; keepalive 512; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    location ${PREFIX}/ {
      if ($is_known = 0) { return 401; }
      proxy_pass http://origin/; proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off;
      proxy_set_header Connection ""; proxy_set_header Host 127.0.0.1:${originPort};
      proxy_set_header Authorization "Bearer ${PROVIDER_KEY}";
    }
  }`
}
