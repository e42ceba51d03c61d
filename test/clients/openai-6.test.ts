/** OpenAI's own client, version 6. */
import * as sdk from 'openai-6'
import { openaiSuite } from './openai-suite.ts'

// The two versions are alike in all that is called here.
await openaiSuite(sdk as unknown as typeof import('openai'), false)
