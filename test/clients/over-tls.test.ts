/** Each official client once against a gateway at https, with the certificate of a private authority. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { ChatOpenAI } from '@langchain/openai'
import { Mistral } from '@mistralai/mistralai'
import { generateText } from 'ai'
import Anthropic0 from 'anthropic-sdk-0'
import { Ollama } from 'ollama'
import OpenAI from 'openai'
import OpenAI6 from 'openai-6'
import { STAND_IN_KEY, startStandIn } from '../../src/tools/stand-in/stand-in.ts'
import { ok } from '../support/bytes.ts'
import { CA } from '../support/certificates.ts'
import { CLIENT_KEY, PROVIDER_KEY, startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { PemFolder } from '../support/tls-gateway.ts'

setDefaultCACertificates([...getCACertificates('default'), CA])

const OLLAMA_ANSWER = {
  model: 'm',
  created_at: '2026-01-01T00:00:00Z',
  message: { role: 'assistant', content: 'hello' },
  done: true,
}
const pems = new PemFolder()
const standIn = await startStandIn({ tokenDelayMs: 1 })
const ollama = await startOrigin(ok(JSON.stringify(OLLAMA_ANSWER), 'Content-Type: application/json'))
const target_url = `http://127.0.0.1:${standIn.port}`
const gateway = await startGateway({
  server: { tls: pems.pair },
  upstreams: {
    all: { request_path: '/all', target_url, api_key: STAND_IN_KEY },
    ollama: { request_path: '/ollama', target_url: ollama.url, api_key: PROVIDER_KEY },
  },
})
after(async () => {
  await gateway.stop()
  await standIn.close()
  await ollama.close()
  pems[Symbol.dispose]()
})

const url = `https://127.0.0.1:${gateway.port}/all`
const apiKey = CLIENT_KEY
const model = 'stand-in-1'
const messages = [{ role: 'user' as const, content: 'hello there' }]
const prompt = 'hello there'

/** What each of them gets of a stream, or of an answer where it streams otherwise. */
const CLIENTS: Readonly<Record<string, () => Promise<string | null | undefined>>> = {
  'openai 7': async () => {
    let text = ''
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })
    const stream = await client.chat.completions.create({ model, messages, stream: true })
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
    return text
  },
  'openai 6': async () => {
    const client = new OpenAI6({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })
    return (await client.chat.completions.create({ model, messages })).choices[0]?.message.content
  },
  anthropic: () => {
    const client = new Anthropic({ baseURL: url, apiKey, maxRetries: 0 })
    return client.messages.stream({ model, messages, max_tokens: 100 }).finalText()
  },
  'anthropic 0': () => {
    const client = new Anthropic0({ baseURL: url, apiKey, maxRetries: 0 })
    return client.messages.stream({ model, messages, max_tokens: 100 }).finalText()
  },
  'google/genai': async () => {
    const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: url } })
    return (await client.models.generateContent({ model, contents: prompt })).text
  },
  'ai-sdk openai': async () => {
    const provider = createOpenAI({ baseURL: `${url}/v1`, apiKey })
    return (await generateText({ model: provider.chat(model), prompt, maxRetries: 0 })).text
  },
  'ai-sdk anthropic': async () => {
    const provider = createAnthropic({ baseURL: `${url}/v1`, apiKey })
    return (await generateText({ model: provider(model), prompt, maxRetries: 0 })).text
  },
  langchain: async () => {
    const chat = new ChatOpenAI({ model: 'gpt-4.1', apiKey, configuration: { baseURL: `${url}/v1` }, maxRetries: 0 })
    return String((await chat.invoke(prompt)).content)
  },
  mistral: async () => {
    const client = new Mistral({ serverURL: url, apiKey })
    return String((await client.chat.complete({ model, messages })).choices?.[0]?.message?.content)
  },
  ollama: async () => {
    const client = new Ollama({
      host: `https://127.0.0.1:${gateway.port}/ollama`,
      headers: { Authorization: `Bearer ${apiKey}` },
    })
    return (await client.chat({ model, messages })).message.content
  },
}

for (const [name, ask] of Object.entries(CLIENTS)) {
  test(name, async () => {
    const before = gateway.records().length
    assert.ok((await ask())?.trim())
    await gateway.until(() => gateway.records().length > before, `the record of ${name}`)
    assert.equal(gateway.records().at(-1)?.status, 200)
  })
}
