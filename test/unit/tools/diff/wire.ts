import type { Message } from '../../../../src/tools/diff/message.ts'
import { MessageReader } from '../../../../src/tools/diff/message-reader.ts'

/** Text as it would be on the wire, one character for each byte. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/** A message whose connection ends in order after it. */
export function readResponse(text: string, method = 'GET'): Message {
  return readPieces([text], method)
}

export function readRequest(text: string): Message {
  return readPieces([text], undefined)
}

export function readPieces(pieces: readonly string[], method: string | undefined): Message {
  const reader = new MessageReader(method)
  for (const piece of pieces) reader.push(bytesOf(piece))
  reader.close(true)
  return reader.message()
}
