/** How commands find the operations door of a gateway, and ask it. */
import { request } from 'node:http'
import { resolve } from 'node:path'
import { loadSettings, MAX_CONFIGURATION_BYTES } from '../config/load.ts'
import type { AdminSettings } from '../config/snapshot.ts'
import { readSource } from '../config/source.ts'

export interface DoorAddress {
  /** As a person knows it. */
  readonly text: string
  readonly host?: string
  readonly port?: number
  readonly socketPath?: string
  readonly token: string | undefined
}

export type Found = DoorAddress | { readonly wrong: string }

/** `url`: `http://127.0.0.1:9090` or `unix:PATH`; else what the configuration says. */
export function findDoor(configPath: string, url: string | undefined, env: NodeJS.ProcessEnv): Found {
  const given = env['FLUXGATE_ADMIN_TOKEN'] || undefined
  if (url !== undefined) return parseUrl(url, given)
  const admin = adminOf(configPath, env)
  if (typeof admin === 'string') return { wrong: admin }
  const { bindAddress: address, token } = admin
  if (address.path !== undefined) return { text: address.text, socketPath: address.path, token: given ?? token }
  if (address.port === 0)
    return { wrong: 'admin.bind_address has port 0, which any port may be: name the door with --admin URL' }
  const host = address.host === '0.0.0.0' ? '127.0.0.1' : address.host === '::' ? '::1' : address.host
  return { text: address.text, host, port: address.port, token: given ?? token }
}

function parseUrl(url: string, token: string | undefined): Found {
  if (url.startsWith('unix:')) return { text: url, socketPath: resolve(url.slice('unix:'.length)), token }
  const parsed = URL.parse(url.includes('://') ? url : `http://${url}`)
  if (parsed === null || parsed.protocol !== 'http:')
    return { wrong: `${url} is no address such as http://127.0.0.1:9090 or unix:PATH` }
  const host = parsed.hostname.replace(/^\[|\]$/g, '')
  return { text: parsed.host, host, port: Number(parsed.port || 80), token }
}

/** Also of a file of which nothing else is right. */
function adminOf(path: string, env: NodeJS.ProcessEnv): AdminSettings | string {
  const loaded = loadSettings(path, env)
  const admin = loaded.ok ? loaded.settings.admin : (loaded.admin ?? adminBlock(path, env))
  if (admin !== undefined) return admin
  return loaded.ok || loaded.cause === 'validation'
    ? `${path} has no admin.bind_address: set it, or name the door with --admin URL`
    : `${loaded.error}; name the door with --admin URL`
}

/** The block alone, taken for the whole of the file. */
function adminBlock(path: string, env: NodeJS.ProcessEnv): AdminSettings | undefined {
  const content = readSource(path, MAX_CONFIGURATION_BYTES)
  const text = Buffer.from(content.bytes).toString()
  const block = /^admin:.*(?:\r?\n(?:[ \t].*|[ \t]*(?:#.*)?))*/m.exec(text)?.[0]
  if (block === undefined) return undefined
  const loaded = loadSettings(path, env, { ...content, bytes: Buffer.from(`version: 1\n${block}\n`) })
  return loaded.ok ? loaded.settings.admin : loaded.admin
}

export type Answer = { readonly status: number; readonly text: string } | { readonly wrong: string }

const MAX_ANSWER_BYTES = 16 * 1024 * 1024

export function ask({ text: shown, token, ...place }: DoorAddress, path: string, limitMs: number): Promise<Answer> {
  return new Promise((done) => {
    const fail = (error: Error): void => done({ wrong: `${shown} does not answer: ${error.message}` })
    const headers = token === undefined ? {} : { authorization: `Bearer ${Buffer.from(token).toString('latin1')}` }
    const signal = AbortSignal.timeout(limitMs)
    signal.addEventListener('abort', () => fail(new Error(`nothing came within ${limitMs / 1000} s`)))
    const asked = request({ ...place, path, headers, agent: false, signal }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (piece: string) => {
        text += piece
        if (text.length > MAX_ANSWER_BYTES) asked.destroy(new Error('the answer is too large'))
      })
      response.on('end', () => done({ status: response.statusCode!, text }))
      response.on('error', fail)
    })
    asked.on('error', fail)
    asked.end()
  })
}
