import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { parse } from 'yaml'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { exchange } from '../support/raw-client.ts'

// The configuration of deploy/kubernetes runs, mounted as the kubelet mounts it; and a change that the kubelet brings is live.

const MANIFEST = new URL('../../deploy/kubernetes/configmap.yaml', import.meta.url)
const scratch = mkdtempSync(path.join(tmpdir(), 'mounts-'))
after(() => rmSync(scratch, { recursive: true }))

/** A folder as the kubelet makes it: each file a link through `..data`, which is swapped in one step. */
function mount(name: string): (files: Readonly<Record<string, string>>) => string {
  const folder = path.join(scratch, name)
  let version = 0
  return (files) => {
    version++
    mkdirSync(path.join(folder, `..${version}`), { recursive: true })
    for (const [file, text] of Object.entries(files)) writeFileSync(path.join(folder, `..${version}`, file), text)
    symlinkSync(`..${version}`, path.join(folder, '..data_tmp'))
    renameSync(path.join(folder, '..data_tmp'), path.join(folder, '..data'))
    if (version === 1) for (const file of Object.keys(files)) symlinkSync(`..data/${file}`, path.join(folder, file))
    return folder
  }
}

const lines = (key: string): string =>
  `GET /openai/v1/models HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer ${key}\r\n\r\n`

test('the manifests start a gateway that serves, and follows its mounts', async () => {
  await using origin = await startOrigin()
  const putSecrets = mount('secrets')
  const putConfiguration = mount('config')
  const secrets = putSecrets({ openai: 'sk-one', 'team-a': 'fgk_one_0123456789abcdef0123456789', 'admin-token': 'at' })
  const manifest = parse(readFileSync(MANIFEST, 'utf8')) as { data: Record<string, string> }
  const configuration = manifest.data['fluxgate.yaml']!.replaceAll('/etc/fluxgate/secrets', secrets)
    .replaceAll(/\[::\]:\d+/g, '127.0.0.1:0')
    .replace('https://api.openai.com', `http://127.0.0.1:${origin.port}`)
  const folder = putConfiguration({ 'fluxgate.yaml': configuration })
  const mounted = path.join(folder, 'fluxgate.yaml')
  // As the container's arguments have it.
  const under = ['sh', '-c', 'exec "$1" --require-configuration --config "$0"', mounted]
  await using gateway = await startGateway({}, { under })

  await exchange(gateway.port, lines('fgk_one_0123456789abcdef0123456789'))
  assert.match((await origin.request(0)).message.head, /^Authorization: Bearer sk-one\r$/m)

  await gateway.waitForLog('Admin server listening on')
  const [, address] = /Admin server listening on ([\d.:]+)/.exec(gateway.log())!
  assert.equal((await fetch(`http://${address}/ready`)).status, 200)
  assert.equal((await fetch(`http://${address}/live`)).status, 200)
  assert.equal((await fetch(`http://${address}/metrics`)).status, 401)
  assert.equal((await fetch(`http://${address}/metrics`, { headers: { authorization: 'Bearer at' } })).status, 200)

  putSecrets({ openai: 'sk-two', 'team-a': 'fgk_two_0123456789abcdef0123456789', 'admin-token': 'at' })
  await gateway.waitForLog('Configuration file changed, reloaded automatically')
  await exchange(gateway.port, lines('fgk_two_0123456789abcdef0123456789'))
  assert.match((await origin.request(1)).message.head, /^Authorization: Bearer sk-two\r$/m)

  putConfiguration({ 'fluxgate.yaml': configuration.replace('request_path: /openai', 'request_path: /other') })
  await gateway.waitForLog('Configuration file changed, reloaded automatically', 2)
  assert.equal((await exchange(gateway.port, lines('fgk_two_0123456789abcdef0123456789'))).status, 404)
})
