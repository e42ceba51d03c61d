import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get } from '../support/bytes.ts'
import { PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { connect } from '../support/raw-client.ts'

test('where the operator says so, the path of x-goog-upload-url gets the prefix, and nothing else changes', async () => {
  await using origin = await startOrigin()
  const upstream = (request_path: string, rewrite_upload_url: boolean) => ({
    request_path,
    target_url: origin.url,
    api_key: PROVIDER_KEY,
    rewrite_upload_url,
  })
  await using gateway = await startGateway({ upstreams: { on: upstream('/on', true), off: upstream('/off', false) } })
  assert.match(gateway.log(), /Fields are changed for upstream","upstream":"on","rewritten":"x-goog-upload-url"/)
  const answer = (path: string): string =>
    `HTTP/1.1 200 OK\r\nLocation: ${origin.url}/x\r\nX-Goog-Upload-URL:  https://api.example${path} \r\nA: 1\r\nContent-Length: 2\r\n\r\nok`
  using client = await connect(gateway.port)
  let expected = ''
  // Each twice: an answer that repeats the one before it is changed as that was.
  for (const [n, id] of ['a', 'a', 'b', 'b'].entries()) {
    origin.answer = answer(`/upload/v1?upload_id=${id}`)
    await client.write(get('/on/x'))
    expected += answer(`/on/upload/v1?upload_id=${id}`)
    await client.write(get('/off/x'))
    expected += answer(`/upload/v1?upload_id=${id}`)
    await client.response(2 * n + 1)
  }
  assert.equal(client.received, expected)
})
