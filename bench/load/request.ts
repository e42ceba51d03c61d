/** Where a program of the load sends its requests. */
export interface Target {
  readonly name: string
  readonly port: number
  readonly path: string
  readonly headers: readonly string[]
}

/** A chat completion request as it goes over the wire; 230 bytes of content are what `post` sends. */
export function requestText({ path, headers }: Target, isStream: boolean, contentBytes = 230): string {
  const before = `{"model":"gpt-4o-mini","stream":${isStream},"messages":[{"role":"user","content":"`
  const after = '"}]}'
  const content = before + 'x'.repeat(contentBytes - before.length - after.length) + after
  const lines = [
    `POST ${path} HTTP/1.1`,
    'Host: localhost',
    ...headers,
    'Content-Type: application/json',
    'Accept: application/json',
    'User-Agent: OpenAI/JS',
    `Content-Length: ${content.length}`,
  ]
  return `${lines.join('\r\n')}\r\n\r\n${content}`
}
