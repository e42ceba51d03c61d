/** `multipart/form-data` (RFC 7578), as much of it as a file upload needs. The body is in memory, so parts are views of it. */

export interface Part {
  readonly name: string
  readonly filename: string | undefined
  readonly content: Buffer
}

/** The parts of a form, or undefined if it is none. */
export function parseForm(contentType: string | undefined, body: Buffer): Part[] | undefined {
  const match = /^multipart\/form-data\s*;.*?\bboundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType ?? '')
  if (!match) return undefined
  const delimiter = Buffer.from(`--${match[1] ?? match[2]}`)
  const parts: Part[] = []
  let start = body.indexOf(delimiter)
  while (start >= 0) {
    start += delimiter.length
    if (body.toString('latin1', start, start + 2) === '--') return parts
    const end = body.indexOf(delimiter, start)
    const part = end < 0 ? undefined : parsePart(body.subarray(start, end))
    if (part) parts.push(part)
    start = end
  }
  return undefined // Without a close delimiter something is missing.
}

/** What stands between two delimiters: CRLF, field lines, an empty line, the content, CRLF. */
function parsePart(section: Buffer): Part | undefined {
  const headEnd = section.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const head = section.toString('utf8', 0, headEnd)
  const name = /^content-disposition:\s*form-data\b.*?\bname="([^"]*)"/im.exec(head)?.[1]
  const filename = /^content-disposition:.*?\bfilename="([^"]*)"/im.exec(head)?.[1]
  return name === undefined ? undefined : { name, filename, content: section.subarray(headEnd + 4, section.length - 2) }
}
