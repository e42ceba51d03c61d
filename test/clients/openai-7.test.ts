/** OpenAI's own client, version 7. */
import * as sdk from 'openai'
import { openaiSuite } from './openai-suite.ts'

await openaiSuite(sdk, true)
