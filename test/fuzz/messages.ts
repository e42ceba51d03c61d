import fc from 'fast-check'

/** A message, and what of it is to go on. Text is latin-1. */
export interface Sample {
  readonly bytes: string
  readonly passed: string
}

const TOKEN = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const letters = (alphabet: string, size: { minLength?: number; maxLength: number }): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...alphabet), size).map((each) => each.join(''))

const blanks = letters(' \t', { maxLength: 3 })
const valueOctets = Array.from({ length: 256 }, (_, octet) => String.fromCharCode(octet)).filter((c) =>
  /[\t\x20-\x7e\x80-\xff]/.test(c),
)
const value = fc.oneof(
  letters(valueOctets.join(''), { maxLength: 12 }),
  fc.constantFrom('', '0', 'chunked', 'close', 'a, b', '"x"', 'Content-Length: 5', 'text/event-stream'),
)

/** A name that means nothing to a gateway. */
const plainName = fc.oneof(
  letters(TOKEN, { minLength: 1, maxLength: 10 }).map((name) => `x${name}`),
  fc.constantFrom('Accept', 'user-agent', 'COOKIE', 'X-Content-Length', 'Transfer-Encodin', 'Set-Cookie', 'Hos', 'TEE'),
)

const plainLine = fc
  .tuple(plainName, blanks, value, blanks)
  .map(([name, before, content, after]): Sample => same(`${name}:${before}${content}${after}\r\n`))

const hopLine = fc
  .tuple(
    fc.constantFrom('Keep-Alive', 'proxy-connection', 'Proxy-Authorization', 'PROXY-AUTHENTICATE', 'Upgrade', 'te'),
    value.filter((text) => !/trailers/i.test(text)),
  )
  .map(([name, text]): Sample => ({ bytes: `${name}: ${text}\r\n`, passed: '' }))

/** `Connection` and what it nominates, which may stand before and after it. */
const nominated = fc.tuple(fc.stringMatching(/^y-[a-z]{1,5}$/), value, value).map(([name, first, second]): Sample[] => [
  { bytes: `${name}: ${first}\r\n`, passed: '' },
  { bytes: `Connection: ${name.toUpperCase()} ,keep-alive\r\n`, passed: '' },
  { bytes: `${name.toUpperCase()}:${second}\r\n`, passed: '' },
])

function same(bytes: string): Sample {
  return { bytes, passed: bytes }
}

function join(samples: readonly Sample[]): Sample {
  return {
    bytes: samples.map(({ bytes }) => bytes).join(''),
    passed: samples.map(({ passed }) => passed).join(''),
  }
}

/** Content that may look like framing to whoever has lost count. */
const content = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 20 }).map((octets) => String.fromCharCode(...octets)),
      fc.constantFrom(
        '\r\n',
        '0\r\n\r\n',
        '\r\n\r\n',
        '\n',
        '5;x="',
        'GET /evil HTTP/1.1\r\nHost: x\r\n\r\n',
        'HTTP/1.1 200 OK\r\n',
      ),
      fc.integer({ min: 0, max: 9_000 }).map((length) => 'x'.repeat(length)),
    ),
    { maxLength: 4 },
  )
  .map((pieces) => pieces.join(''))

const extension = fc.oneof(
  fc.constant(''),
  fc.constantFrom(';a', ';a=b', ' ; a = "b;\\"\\\\" ;c\t=\td', ';a="\t \xff";b', '\t;x'),
  letters(TOKEN, { minLength: 1, maxLength: 9 }).map((name) => `;${name}`),
)

/** Leading zeros and the case of the digits are the sender's. */
const spelling = fc.tuple(fc.nat(2), fc.boolean())

const chunk = fc
  .tuple(
    content.filter((data) => data !== ''),
    spelling,
    extension,
  )
  .map(([data, [zeros, upper], ext]): Sample => {
    const hex = data.length.toString(16)
    const size = '0'.repeat(zeros) + (upper ? hex.toUpperCase() : hex)
    return { bytes: `${size}${ext}\r\n${data}\r\n`, passed: `${size}\r\n${data}\r\n` }
  })

const droppedTrailer = fc
  .tuple(fc.constantFrom('Content-Length', 'HOST', 'authorization', 'Trailer', 'set-cookie', 'Connection', 'TE'), value)
  .map(([name, text]): Sample => ({ bytes: `${name}: ${text}\r\n`, passed: '' }))

const keptTrailer = fc
  .tuple(plainName, blanks, value)
  .filter(([name]) => !/^(?:cookie|set-cookie)$/i.test(name))
  .map(([name, before, text]): Sample => same(`${name}:${before}${text}\r\n`))

export const chunked: fc.Arbitrary<Sample> = fc
  .tuple(
    fc.array(chunk, { maxLength: 5 }),
    spelling,
    extension,
    fc.array(fc.oneof(keptTrailer, droppedTrailer), { maxLength: 4 }),
  )
  .map(([chunks, [zeros], ext, trailers]): Sample => {
    const last = '0'.repeat(zeros + 1)
    return join([...chunks, { bytes: `${last}${ext}\r\n`, passed: `${last}\r\n` }, ...trailers, same('\r\n')])
  })

interface Framed {
  readonly lines: readonly Sample[]
  readonly body: Sample
}

const framed = fc.oneof(
  fc.constant<Framed>({ lines: [], body: same('') }),
  fc.tuple(content, fc.nat(2)).map(
    ([data, zeros]): Framed => ({
      lines: [same(`content-Length:\t${'0'.repeat(zeros)}${data.length} \r\n`)],
      body: same(data),
    }),
  ),
  chunked.map((body): Framed => ({ lines: [same('Transfer-encoding: CHUNKed\r\n')], body })),
)

const lines = fc
  .tuple(
    fc.array(fc.oneof({ weight: 4, arbitrary: plainLine }, { weight: 1, arbitrary: hopLine }), { maxLength: 6 }),
    fc.option(nominated, { nil: [] }),
  )
  .map(([plain, hop]) => [...plain, ...hop])

/** The lines in any order. */
function shuffled(all: readonly Sample[]): fc.Arbitrary<Sample[]> {
  return fc.shuffledSubarray([...all], { minLength: all.length, maxLength: all.length })
}

const target = fc.oneof(
  fc.constantFrom('/', '/v1/chat?stream=true', '//x//', '/%41%zz', '/a;b=c/', '/a?b=/../c'),
  letters('abcXYZ09-_~!$&\'()*+,;=:@/"<>[]^`{|}?', { maxLength: 20 }).map((path) => `/${path}`),
)

const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PURGE', 'M-SEARCH', 'x')

/** A request that nobody could take for anything else, and what the next hop is to see of it. */
export const request: fc.Arbitrary<Sample> = fc
  .tuple(method, target, lines, framed)
  .chain(([verb, path, fields, { lines: framing, body }]) =>
    shuffled([...fields, ...framing, same('Host: gateway\r\n')]).map((section) =>
      join([same(`${verb} ${path} HTTP/1.1\r\n`), ...section, same('\r\n'), body]),
    ),
  )

/** Requests one behind the other, with empty lines between them that some clients send. */
export function requestsUpTo(maxLength: number): fc.Arbitrary<Sample> {
  return fc
    .array(fc.tuple(request, fc.constantFrom('', '', '\r\n', '\r\n\r\n')), { minLength: 1, maxLength })
    .map((each) => join(each.map(([sample, empty]) => join([{ bytes: empty, passed: '' }, sample]))))
}

export const requests: fc.Arbitrary<Sample> = requestsUpTo(3)

const reason = fc.oneof(
  fc.constantFrom('', ' ', ' OK'),
  letters(valueOctets.join(''), { maxLength: 8 }).map((text) => ` ${text}`),
)

const interim = fc
  .tuple(fc.constantFrom(100, 102, 103), fc.array(plainLine, { maxLength: 2 }))
  .map(([status, fields]) => join([same(`HTTP/1.1 ${status} x\r\n`), ...fields, same('\r\n')]))

/** A response to a GET, with interim ones before it. Without framing it goes to the end of its connection. */
export const response: fc.Arbitrary<Sample> = fc
  .tuple(fc.array(interim, { maxLength: 2 }), fc.constantFrom(200, 201, 301, 404, 500, 599), reason, lines, framed)
  .chain(([interims, status, phrase, fields, { lines: framing, body }]) =>
    shuffled([...fields, ...framing]).map((section) =>
      join([...interims, same(`HTTP/1.1 ${status}${phrase}\r\n`), ...section, same('\r\n'), body]),
    ),
  )

/** Cuts the bytes at these places (taken modulo their length); the pieces are what is read at once. */
export function cut(bytes: string, places: readonly number[]): string[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  return [...at, bytes.length]
    .map((end, i) => bytes.slice(i === 0 ? 0 : at[i - 1], end))
    .filter((piece) => piece !== '')
}

export const places: fc.Arbitrary<number[]> = fc.array(fc.nat(20_000), { maxLength: 12 })
