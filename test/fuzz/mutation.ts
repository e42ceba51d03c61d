import type { Random } from './random.ts'

/** Numbers on the edges of what somebody counts with. */
const NUMBERS = [
  '0',
  '1',
  '-1',
  '00',
  '255',
  '256',
  '4096',
  '4097',
  '16384',
  '65535',
  '65536',
  '2147483647',
  '2147483648',
]
const LARGE_NUMBERS = [
  '4294967296',
  '9007199254740991',
  '9007199254740992',
  '18446744073709551616',
  '1e3',
  '0x10',
  'ffffffff',
]

export interface Soil {
  /** Texts to take pieces from. */
  readonly pool: readonly string[]
  readonly spice: readonly string[]
  readonly isUnicode: boolean
  /** From 1 on: how many changes, and how long what is repeated. */
  readonly scale: number
}

type Change = (text: string, random: Random, soil: Soil) => string

const splice = (text: string, at: number, removed: number, instead: string): string =>
  text.slice(0, at) + instead + text.slice(at + removed)

const place = (text: string, random: Random): number => random.below(text.length + 1)

/** Mostly short: a long one changes everything at once. */
const run = (random: Random): number => (random.below(4) === 0 ? 1 + random.below(40) : 1 + random.below(4))

const unit = (random: Random, soil: Soil): string =>
  String.fromCharCode(random.below(soil.isUnicode && random.below(3) === 0 ? 0x10000 : 0x100))

/** Where a line starts, and its length with its line feed. */
function line(text: string, random: Random): readonly [at: number, length: number] {
  const at = text.lastIndexOf('\n', place(text, random) - 1) + 1
  const feed = text.indexOf('\n', at)
  return [at, (feed === -1 ? text.length : feed + 1) - at]
}

/** ASCII only: other letters would become more than a byte. */
const swapCase = (letter: string): string => String.fromCharCode(letter.charCodeAt(0) ^ 0x20)

const CHANGES: readonly Change[] = [
  (text, random) => {
    const at = place(text, random)
    return splice(text, at, 1, String.fromCharCode((text.charCodeAt(at) || 0) ^ (1 << random.below(8))))
  },
  (text, random, soil) => splice(text, place(text, random), random.below(2), unit(random, soil)),
  (text, random, soil) => splice(text, place(text, random), 0, random.pick(soil.spice)),
  (text, random, soil) => splice(text, place(text, random), run(random), random.pick(soil.spice)),
  (text, random) => splice(text, place(text, random), run(random), ''),
  (text, random) => text.slice(0, place(text, random)),
  (text, random, { scale }) => {
    const at = place(text, random)
    const piece = text.slice(at, at + run(random))
    return splice(text, at, 0, piece.repeat(1 + random.below(2 ** (1 + random.below(2 * scale)))))
  },
  (text, random) => {
    const [at, length] = line(text, random)
    return splice(text, place(text, random), 0, text.slice(at, at + length))
  },
  (text, random) => {
    const [at, length] = line(text, random)
    return splice(text, at, 0, text.slice(at, at + length))
  },
  (text, random) => {
    const [at, length] = line(text, random)
    return splice(text, at, length, '')
  },
  (text, random, soil) => {
    const other = random.pick(soil.pool)
    const [at, length] = line(other, random)
    return splice(text, line(text, random)[0], 0, other.slice(at, at + length))
  },
  (text, random, soil) => {
    const other = random.pick(soil.pool)
    return text.slice(0, place(text, random)) + other.slice(place(other, random))
  },
  (text, random) => {
    const digits = [...text.matchAll(/\d+/g)]
    if (digits.length === 0) return text
    const found = random.pick(digits)
    return splice(text, found.index, found[0].length, random.pick(random.below(2) === 0 ? NUMBERS : LARGE_NUMBERS))
  },
  (text, random) => {
    const at = place(text, random)
    const piece = text.slice(at, at + run(random))
    return splice(
      text,
      at,
      piece.length,
      piece.replaceAll(/[a-z]/gi, (letter) => swapCase(letter)),
    )
  },
]

/** A text of the pool with a few changes. */
export function mutate(text: string, random: Random, soil: Soil): string {
  let mutated = text
  const changes = 1 + random.below(1 + soil.scale)
  for (let i = 0; i < changes; i++) mutated = random.pick(CHANGES)(mutated, random, soil)
  const limit = 1_000 * 4 ** Math.min(soil.scale, 4)
  return mutated.length > limit ? mutated.slice(0, limit) : mutated
}
