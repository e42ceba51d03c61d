/** The programs that people put around a gateway, as they come with Debian: what they make of it, and it of them. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { get, upTo } from '../support/bytes.ts'
import { closedPort } from '../support/closed-port.ts'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

function without(program: string): string | false {
  return spawnSync(program, ['-v'], { stdio: 'ignore' }).error === undefined
    ? false
    : `needs ${program} (the package of that name in Debian)`
}

/** A folder that the program can write to as whoever it becomes, gone with the test. */
function folderOf(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'fluxgate-around-'))
  chmodSync(folder, 0o777)
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Runs it in the foreground until the test is over; resolves when it listens. */
async function run(t: TestContext, command: string, args: readonly string[], port: number): Promise<void> {
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (bytes: Buffer) => (said += bytes))
  const exited = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGTERM')
    await exited
    child.stdout!.destroy()
    child.stderr!.destroy()
  })
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) break
    if (await answers(port)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.fail(`${command} does not listen: ${said}`)
}

async function answers(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1')
  const isConnected = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return isConnected
}

/** Who the record of the next request says it came from. */
async function seen(
  gateway: RunningGateway,
  port: number,
): Promise<{ client: string | undefined; peer: string | undefined }> {
  const before = gateway.records().filter(({ status }) => status === 200).length
  const response = await exchange(port, get('/up/x', 'X-Kept:  as it is'))
  assert.equal(response.text, 'ok')
  await gateway.until(() => gateway.records().filter(({ status }) => status === 200).length > before, 'its record')
  const record = gateway.records().findLast(({ status }) => status === 200)!
  return { client: record.client_ip, peer: record.peer_ip }
}

function nginxConfiguration(folder: string, port: number, upstream: string): string {
  return `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  upstream fluxgate { server ${upstream}; keepalive 8; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://fluxgate;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`
}

test('nginx in front, over TCP and over a Unix socket: the record has the client', {
  skip: without('nginx'),
}, async (t) => {
  await using origin = await startOrigin(ANSWER)
  const folder = folderOf(t)
  for (const [name, server, at] of [
    ['tcp', { trusted_proxies: ['127.0.0.1'] }, (gateway: RunningGateway) => `127.0.0.1:${gateway.port}`],
    [
      'unix',
      { bind_address: `unix:${folder}/gateway.sock`, socket_mode: '0666', trusted_proxies: ['unix', '127.0.0.1'] },
      () => `unix:${folder}/gateway.sock`,
    ],
  ] as const) {
    const wait = name === 'unix' ? 'listening on unix:' : undefined
    await using gateway = await startGateway({ server, ...upTo(origin) }, wait === undefined ? {} : { wait })
    // These programs cannot say which port they took.
    const port = await closedPort()
    const file = path.join(folder, `${name}.conf`)
    writeFileSync(file, nginxConfiguration(folder, port, at(gateway)))
    await run(t, 'nginx', ['-p', folder, '-c', file], port)
    const response = await exchange(port, get('/up/x', 'X-Forwarded-For: 203.0.113.9'))
    assert.equal(response.text, 'ok')
    const record = await gateway.waitForRecord()
    // nginx has added the address that it saw, which is trusted here: what stands before that counts.
    assert.equal(record.client_ip, '203.0.113.9')
    assert.equal(record.peer_ip, name === 'tcp' ? '127.0.0.1' : undefined)
  }
})

for (const [version, option] of [
  [1, 'send-proxy'],
  [2, 'send-proxy-v2'],
] as const) {
  test(`HAProxy in front, with the PROXY protocol, version ${version}`, { skip: without('haproxy') }, async (t) => {
    await using origin = await startOrigin(ANSWER)
    await using gateway = await startGateway({
      server: { proxy_protocol: { from: ['127.0.0.1'] } },
      ...upTo(origin),
    })
    const port = await closedPort()
    const file = path.join(folderOf(t), 'haproxy.cfg')
    writeFileSync(
      file,
      `defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen gateway
  bind 127.0.0.1:${port}
  server fluxgate 127.0.0.1:${gateway.port} ${option} check inter 100ms check-${option === 'send-proxy' ? option : 'send-proxy'}
`,
    )
    await run(t, 'haproxy', ['-db', '-f', file], port)
    const who = await seen(gateway, port)
    // Client and balancer are on this machine: the address is the client's all the same, and so no peer stands beside it.
    assert.deepEqual(who, { client: '127.0.0.1', peer: undefined })
    assert.doesNotMatch(gateway.log(), /"level":"(?:WARN|ERROR)"/, 'checks leave no noise')
    const { lines } = await origin.request()
    assert.ok(lines.includes('X-Kept:  as it is'))
  })
}

test('tinyproxy as the way out, with a login, for plain targets and for TLS codes', {
  skip: without('tinyproxy'),
}, async (t) => {
  await using origin = await startOrigin(ANSWER)
  const port = await closedPort()
  const folder = folderOf(t)
  const file = path.join(folder, 'tinyproxy.conf')
  writeFileSync(
    file,
    `Port ${port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nPidFile "${folder}/pid"\nBasicAuth user secret-of-the-proxy\nAllow 127.0.0.1\n`,
  )
  await run(t, 'tinyproxy', ['-d', '-c', file], port)
  const proxy = { url: `http://127.0.0.1:${port}`, user: 'user', password: { env: 'PROXY_PASSWORD' } }
  await using gateway = await startGateway(upTo(origin, { proxy }), { env: { PROXY_PASSWORD: 'secret-of-the-proxy' } })
  const response = await exchange(gateway.port, get('/up/x', 'X-Kept:  as it is'))
  assert.equal(response.text, 'ok')
  const { lines } = await origin.request()
  assert.ok(lines.includes('X-Kept:  as it is'))
  assert.ok(!lines.join().includes('Proxy-Authorization') && !lines.join().includes('Via'))
  await using refused = await startGateway(upTo(origin, { proxy }), { env: { PROXY_PASSWORD: 'wrong' } })
  const answer = await exchange(refused.port, get('/up/x'))
  assert.equal(answer.value('x-fluxgate-error'), 'fluxgate_proxy_auth')
  await refused.waitForRecord()
  assert.ok(!`${gateway.log()}${refused.log()}`.includes('secret-of-the-proxy'))
})
