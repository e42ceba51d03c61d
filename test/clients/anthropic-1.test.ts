/** Anthropic's own client, version 1: its key is a bearer's. */
import * as sdk from '@anthropic-ai/sdk'
import { anthropicSuite } from './anthropic-suite.ts'

await anthropicSuite({
  sdk,
  keyField: 'authorization',
  overloaded: sdk.OverloadedError,
  upload: (client, file) => client.files.upload({ file }),
})
