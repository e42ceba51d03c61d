import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { formatProblem, loadSettings } from '../../src/config/load.ts'
import { blocksOf } from '../support/pages.ts'

// What is in deploy/ can be read, is about the same ports, names and times everywhere, and configures a gateway.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const scratch = mkdtempSync(path.join(tmpdir(), 'deploy-'))
after(() => rmSync(scratch, { recursive: true }))

// biome-ignore lint/suspicious/noExplicitAny: documents of other programs, each looked at where it is known.
type Document = any

const documentsOf = (text: string): Document[] =>
  parseAllDocuments(text, { merge: true }).map((document) => {
    assert.deepEqual(document.errors, [])
    return document.toJS()
  })

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')
const FILES = globSync('deploy/**/*.{yaml,yml}', { cwd: ROOT })
  .map((file) => file.replaceAll(path.sep, '/'))
  .filter((file) => !file.includes('/templates/'))
  .sort()

const MANIFESTS = FILES.filter((file) => file.startsWith('deploy/kubernetes/')).flatMap((file) =>
  documentsOf(read(file)),
)

const ofKind = (kind: string): Document[] => MANIFESTS.filter((document) => document.kind === kind)
const [deployment] = ofKind('Deployment')
const pod = deployment.spec.template.spec
const [gateway] = pod.containers
const [configMap] = ofKind('ConfigMap')
const [configuration] = documentsOf(configMap.data['fluxgate.yaml'])

/** What is wrong with a configuration, warnings too, where its secret files are there. */
function problemsOf(text: string): string[] {
  const folder = mkdtempSync(path.join(scratch, 'configuration-'))
  for (const [, file] of text.matchAll(/file: "?(\/[\w./-]+)/g)) {
    mkdirSync(path.join(folder, path.dirname(file!)), { recursive: true })
    writeFileSync(path.join(folder, file!), `secret-of-${file}-0123456789abcdef0123\n`)
  }
  writeFileSync(path.join(folder, 'fluxgate.yaml'), text.replaceAll(/(file: "?)\//g, '$1'))
  const loaded = loadSettings(path.join(folder, 'fluxgate.yaml'), {})
  return [...(loaded.ok ? [] : loaded.problems), ...loaded.warnings].map((problem) =>
    formatProblem({ ...problem, file: 'it' }),
  )
}

for (const file of FILES) {
  test(`${file} can be read`, () => assert.ok(documentsOf(read(file)).length > 0))
}

test('the configurations of the manifests and of the compose file are valid', () => {
  assert.deepEqual(problemsOf(configMap.data['fluxgate.yaml']), [])
  assert.deepEqual(problemsOf(read('deploy/compose/gateway/fluxgate.yaml')), [])
})

test('folders are mounted, so that a change arrives', () => {
  for (const container of [...pod.initContainers, ...pod.containers]) {
    for (const mount of container.volumeMounts) {
      assert.equal(mount.subPath, undefined)
      assert.ok(
        pod.volumes.some(({ name }: Document) => name === mount.name),
        mount.name,
      )
    }
    assert.equal(container.args.at(-1), '/etc/fluxgate/config/fluxgate.yaml')
  }
})

test('ports, probes and services mean the same', () => {
  const ports = new Map<string, number>(gateway.ports.map(({ name, containerPort }: Document) => [name, containerPort]))
  assert.equal(configuration.server.bind_address, `[::]:${ports.get('http')}`)
  assert.equal(configuration.admin.bind_address, `[::]:${ports.get('operations')}`)
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
    assert.equal(gateway[probe].httpGet.port, 'operations')
    assert.equal(gateway[probe].httpGet.path, probe === 'readinessProbe' ? '/ready' : '/live')
  }
  const labels = deployment.spec.template.metadata.labels
  for (const { spec } of ofKind('Service')) {
    for (const [name, value] of Object.entries(spec.selector)) assert.equal(labels[name], value)
    for (const { targetPort } of spec.ports) assert.ok(ports.has(targetPort), targetPort)
  }
  const [monitor] = ofKind('ServiceMonitor')
  const watched = ofKind('Service').filter(({ metadata }) =>
    Object.entries(monitor.spec.selector.matchLabels).every(([name, value]) => metadata.labels[name] === value),
  )
  assert.equal(watched.length, 1)
  assert.deepEqual(
    watched[0].spec.ports.map(({ name }: Document) => name),
    monitor.spec.endpoints.map(({ port }: Document) => port),
  )
  assert.equal(watched[0].metadata.labels[monitor.spec.jobLabel], 'fluxgate')
  for (const { ports: open } of ofKind('NetworkPolicy')[0].spec.ingress)
    for (const { port } of open) assert.ok(ports.has(port), port)
})

test('a pod has the time that its gateway was promised', () => {
  const { shutdown_delay_ms, shutdown_timeout_ms } = configuration.server
  assert.equal(shutdown_delay_ms, 5000)
  assert.ok(pod.terminationGracePeriodSeconds * 1000 > shutdown_delay_ms + shutdown_timeout_ms)
})

test('the alerts of the manifests are those that are tested', () => {
  const [{ spec }] = ofKind('PrometheusRule') as [Document]
  assert.deepEqual(spec, documentsOf(read('deploy/prometheus/fluxgate.rules.yaml'))[0])
})

test('a container has no rights that it does not need', () => {
  assert.equal(pod.automountServiceAccountToken, false)
  assert.equal(pod.securityContext.runAsNonRoot, true)
  for (const { securityContext } of [...pod.initContainers, ...pod.containers]) {
    assert.deepEqual(securityContext, {
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    })
  }
})

test('what the compose file mounts is there, and its gateway has time to stop', () => {
  const [{ services }] = documentsOf(read('deploy/compose/compose.yaml'))
  for (const { volumes } of Object.values<Document>(services)) {
    for (const [source] of volumes.map((volume: string) => volume.split(':'))) {
      if (!source.startsWith('.') || source === './secrets') continue
      assert.ok(statSync(path.join(ROOT, 'deploy/compose', source)).isDirectory(), source)
    }
  }
  const [{ server }] = documentsOf(read('deploy/compose/gateway/fluxgate.yaml'))
  assert.ok(Number.parseInt(services.gateway.stop_grace_period, 10) * 1000 > server.shutdown_timeout_ms)
})

test('the secrets of the compose file are made once, and all that are asked for', () => {
  const folder = path.join(scratch, 'compose')
  cpSync(path.join(ROOT, 'deploy/compose'), folder, { recursive: true, filter: (file) => !file.endsWith('/secrets') })
  const prepare = (): string => {
    const { status, stdout, stderr } = spawnSync('sh', [path.join(folder, 'prepare.sh')], {
      encoding: 'utf8',
      env: { ...process.env, OPENAI_API_KEY: 'sk-it' },
    })
    assert.equal(status, 0, stderr)
    return stdout
  }
  const first = prepare()
  assert.match(first, /Bearer [0-9a-f]{48}\n/)
  assert.equal(prepare(), first)
  const asked = ['gateway/fluxgate.yaml', 'prometheus/prometheus.yaml', 'compose.yaml'].flatMap((file) =>
    [...read(`deploy/compose/${file}`).matchAll(/\/secrets\/([\w-]+)/g)].map(([, name]) => name!),
  )
  assert.ok(asked.length > 0)
  for (const name of asked) assert.ok(existsSync(path.join(folder, 'secrets', name)), name)
  assert.equal(readFileSync(path.join(folder, 'secrets/openai'), 'utf8'), 'sk-it')
})

const skip = spawnSync('helm', ['version']).error === undefined ? false : 'helm is not installed'

function template(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('helm', ['template', 'it', 'deploy/helm/fluxgate', '--kube-version', '1.31.0', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  })
}

test('the chart takes the values of its page', { skip }, () => {
  const [values] = blocksOf('deploy/README.md', 'yaml')
  writeFileSync(path.join(scratch, 'my-values.yaml'), values!.text)
  const { status, stdout, stderr } = template('--values', path.join(scratch, 'my-values.yaml'))
  assert.equal(status, 0, stderr)
  const kinds = documentsOf(stdout).map(({ kind }) => kind)
  for (const kind of ['NetworkPolicy', 'ServiceMonitor', 'PrometheusRule']) assert.ok(kinds.includes(kind), kind)
  const dashboard = documentsOf(stdout).find(({ data }) => data?.['fluxgate.json'] !== undefined)
  assert.deepEqual(JSON.parse(dashboard.data['fluxgate.json']), JSON.parse(read('deploy/grafana/fluxgate.json')))
})

test('the chart renders with each of its switches', { skip }, () => {
  for (const args of [
    [],
    ['--set', 'secrets.values.admin-token=t', '--set', 'check=false'],
    ['--set', 'prometheusRule.enabled=true', '--set', 'prometheusRule.runbook=https://wiki.example/fluxgate'],
    ['--set', 'existingConfigMap=mine', '--set', 'secrets.existing=mine', '--set', 'serviceMonitor.enabled=true'],
    [
      '--set',
      'autoscaling.enabled=true',
      '--set',
      'networkPolicy.enabled=true',
      '--set',
      'podDisruptionBudget.enabled=false',
    ],
    ['--set', 'image.digest=sha256:'.padEnd(84, '0'), '--set', 'nodeSelector.disk=ssd', '--set', 'podAnnotations.a=b'],
    ['--set-json', 'topologySpreadConstraints=[]', '--set-json', 'tolerations=[{"operator":"Exists"}]'],
    ['--set', 'config.server.shutdown_timeout_ms=null', '--set', 'terminationGracePeriodSeconds=3600'],
  ]) {
    const { status, stdout, stderr } = template(...args)
    assert.equal(status, 0, `${args.join(' ')}: ${stderr}`)
    assert.ok(documentsOf(stdout).length >= 4)
  }
})

for (const [what, args, complaint] of [
  ['a misspelt key', ['--set', 'relicas=3'], /relicas/],
  ['a Unix socket', ['--set', 'config.server.bind_address=unix:/run/it.sock'], /bind_address/],
  ['a pod that is killed too soon', ['--set', 'terminationGracePeriodSeconds=300'], /take 305 s/],
  ['a stop without an end', ['--set', 'config.server.shutdown_timeout_ms=null'], /Set terminationGracePeriodSeconds/],
] as const) {
  test(`the chart refuses ${what}`, { skip }, () => {
    const { status, stderr } = template(...args)
    assert.notEqual(status, 0)
    assert.match(stderr, complaint)
  })
}
