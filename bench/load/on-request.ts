import type { Reading } from './listen.ts'

/** Calls back when a request has come whole. For requests with a Content-Length that are not pipelined. */
export function onRequest(whole: () => void): Reading {
  let bytesLeft = 0
  let head = ''
  return (bytes, length) => {
    if (bytesLeft === 0) {
      head += bytes.toString('latin1', 0, length)
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      bytesLeft = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0) - (head.length - end - 4)
      head = ''
    } else {
      bytesLeft -= length
    }
    if (bytesLeft === 0) whole()
  }
}
