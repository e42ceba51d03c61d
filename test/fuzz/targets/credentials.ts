const CREDENTIAL = /^(?:authorization|x-api-key|api-key|x-goog-api-key|x-fluxgate-key):[ \t]*(?:bearer +)?(.*?)[ \t]*$/i

/** The values of the credential fields among these lines, without a scheme. */
export function credentialsIn(lines: readonly string[]): string[] {
  return lines.flatMap((line) => CREDENTIAL.exec(line)?.[1] ?? [])
}
