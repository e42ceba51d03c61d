/** Anthropic's own client, the last before version 1: its key has a field to itself. */
import type Anthropic from '@anthropic-ai/sdk'
import * as sdk from 'anthropic-sdk-0'
import { anthropicSuite } from './anthropic-suite.ts'

// The two versions are alike in all that is called there.
await anthropicSuite({
  sdk: sdk as unknown as typeof import('@anthropic-ai/sdk'),
  keyField: 'x-api-key',
  overloaded: sdk.InternalServerError as unknown as typeof import('@anthropic-ai/sdk').InternalServerError,
  upload: (client: Anthropic, file) => (client as unknown as sdk.Anthropic).beta.files.upload({ file }),
})
