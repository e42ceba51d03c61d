/**
 * Goes into a gateway's process by `--import`: functions of Node throw where they meet certain bytes, as they would for a bug
 * in the code that calls them, and at SIGWINCH something throws that belongs to no request.
 */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

const hash = crypto.hash
crypto.hash = ((algorithm, data, options) => {
  if (data === 'key-that-throws') throw new Error('a bug in front of the upstream')
  if (data.toString() === 'value-that-throws') throw new Error('a bug in a record')
  return hash(algorithm, data, options as 'hex')
}) as typeof crypto.hash
syncBuiltinESMExports()

// Heads and trailers become text; the rest of a body never does.
const decode = Buffer.prototype.toString
Buffer.prototype.toString = function (this: Buffer, ...args: Parameters<typeof decode>): string {
  const text = decode.apply(this, args)
  if (text.includes('trailer-that-throws')) throw new Error('a bug behind the upstream')
  return text
}

process.once('SIGWINCH', () => {
  throw new Error('a bug that belongs to no request')
})
