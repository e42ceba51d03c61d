import fc from 'fast-check'

/** Text of any UTF-16 units, halves of surrogate pairs included, with what forges lines and steers terminals made likely. */
export function anyText(maxLength = 30): fc.Arbitrary<string> {
  const unit = fc.oneof(
    fc.nat(0xffff).map((code) => String.fromCharCode(code)),
    fc.nat(0xff).map((code) => String.fromCharCode(code)),
    fc.constantFrom('\r', '\n', '\u001b[2J', '"', "'", '\\', ' ', '=', '\t', '\u2028', '\u0085', 'x', '"\n2026 INFO y'),
  )
  return fc.array(unit, { maxLength }).map((units) => units.join(''))
}
