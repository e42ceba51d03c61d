import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { adminPort } from '../support/admin.ts'
import { get, ok, upTo } from '../support/bytes.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

const hasPrometheus = spawnSync('prometheus', ['--version'], { stdio: 'ignore' }).status === 0
const TOKEN = 'an-operations-token-0123456789'
const PATIENCE_MS = 60_000

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A real one, that scrapes this address each second. */
class Prometheus implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fluxgate-prometheus-'))
  readonly #child: ChildProcess
  readonly #url: string

  constructor(port: number, target: string) {
    this.#url = `http://127.0.0.1:${port}`
    const scrape = {
      job_name: 'fluxgate',
      authorization: { credentials: TOKEN },
      static_configs: [{ targets: [target] }],
    }
    const config = { global: { scrape_interval: '1s', scrape_timeout: '1s' }, scrape_configs: [scrape] }
    writeFileSync(join(this.#folder, 'prometheus.yml'), JSON.stringify(config)) // JSON is YAML
    this.#child = spawn(
      'prometheus',
      ['--config.file=prometheus.yml', '--storage.tsdb.path=data', `--web.listen-address=127.0.0.1:${port}`],
      { cwd: this.#folder, stdio: 'ignore' },
    )
  }

  /** The values of a query, once there are any that will do. */
  async values(query: string, willDo: (values: number[]) => boolean): Promise<number[]> {
    for (const end = performance.now() + PATIENCE_MS; ; ) {
      const values = await this.#ask(query).catch((): number[] => [])
      if (willDo(values)) return values
      assert.ok(performance.now() < end, `${query}: ${values}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  async #ask(query: string): Promise<number[]> {
    const response = await fetch(`${this.#url}/api/v1/query?query=${encodeURIComponent(query)}`)
    const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } }
    return data.result.map(({ value }) => Number(value[1]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}

test('a real Prometheus finds what was counted', {
  skip: hasPrometheus ? false : 'needs Prometheus (the package of that name in Debian)',
}, async () => {
  await using origin = await startOrigin(({ connection }) => void connection.write(ok('ok')))
  await using gateway = await startGateway({
    admin: { bind_address: '127.0.0.1:0', token: TOKEN },
    server: { workers: 2 },
    ...upTo(origin),
  })
  using client = await connect(gateway.port)
  for (let nth = 0; nth < 7; nth++) {
    void client.write(get('/up/x'))
    assert.equal((await client.response(nth)).status, 200)
  }
  await using prometheus = new Prometheus(await freePort(), `127.0.0.1:${adminPort(gateway)}`)
  assert.deepEqual(await prometheus.values('up{job="fluxgate"}', ([up]) => up === 1), [1])
  const requests =
    'sum(fluxgate_requests_total{upstream="up",api_key="test",method="GET",code="200",outcome="complete"})'
  assert.deepEqual(await prometheus.values(requests, ([count]) => count === 7), [7])
  const first = 'histogram_quantile(0.5, fluxgate_time_to_first_byte_seconds_bucket{upstream="up"})'
  const [median] = await prometheus.values(first, ([value]) => value !== undefined && value > 0)
  assert.ok(median! <= 600)
})
