import { once } from 'node:events'
import { statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Contender, PROVIDER_KEY } from './contender.ts'

/** Only who does the work may be measured at it: throws unless keys are checked and swapped, and requests logged. */
export async function verify(contender: Contender): Promise<void> {
  let seen: string | undefined
  const origin = createServer((request, response) => {
    seen = request.headers.authorization
    request.resume()
    response.setHeader('content-type', 'application/json').end('{}')
  }).listen(0, '127.0.0.1')
  await once(origin, 'listening')
  try {
    const { port } = origin.address() as AddressInfo
    await using gateway = await contender.start({ originPort: port })
    const headers = contender.headers(port)
    const url = `http://127.0.0.1:${gateway.port}${contender.path}`
    await expectStatus(url, headers, 200)
    if (seen !== `Bearer ${PROVIDER_KEY}`) throw new Error(`the provider saw ${seen}`)
    const wrong = headers.map((line) => line.replace(/^(Authorization: Bearer ).*/, '$1wrong'))
    if (contender.checksKey) await expectStatus(url, wrong, 401)
    const { log } = contender
    if (log !== undefined && !(await isWritten(join(gateway.folder, log)))) throw new Error('it logs nothing')
  } finally {
    origin.closeAllConnections()
    origin.close()
  }
}

async function expectStatus(url: string, lines: readonly string[], expected: number): Promise<void> {
  const headers = lines.map((line) => line.split(': ', 2) as [string, string])
  headers.push(['content-type', 'application/json'])
  const body = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
  const { status } = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(5000) })
  if (status !== expected) throw new Error(`it answers ${status} instead of ${expected}`)
}

async function isWritten(path: string): Promise<boolean> {
  for (let attempt = 0; attempt < 50; attempt++) {
    if (statSync(path).size > 0) return true
    await sleep(20)
  }
  return false
}
