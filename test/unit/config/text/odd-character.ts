import fc from 'fast-check'

/** Controls, ASCII, Latin and what lies beyond, half characters included. (fast-check's own binary unit takes seconds to build.) */
export const oddCharacter: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 0x17f }).map((code) => String.fromCharCode(code)) },
  { weight: 1, arbitrary: fc.constantFrom('\u2028', '\ufeff', '\ud800', '\udfff', '\u{1f511}', '\uffff') },
)
