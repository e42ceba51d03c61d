/** `ledger` and `usage`: what is kept of each exchange, and what it costs. */
import * as v from 'valibot'
import { DEFAULTS } from './defaults.ts'
import { secret, text } from './values.ts'

function count(least: number, description: string) {
  const message = `must be an integer from ${least}`
  return v.pipe(v.number(message), v.safeInteger(message), v.minValue(least, message), v.description(description))
}

export const ledger = v.pipe(
  v.strictObject(
    {
      url: v.optional(
        secret(
          'Where the rows go: `sqlite:PATH`, `postgres://USER:PASSWORD@HOST/DATABASE` or `clickhouse+https://USER:PASSWORD@HOST:8443/DATABASE`. Without it, there is no ledger.',
        ),
      ),
      queue_rows: v.optional(
        count(1, 'Rows in memory that wait to be written, over all workers. Past it they are dropped and counted.'),
        DEFAULTS.queue_rows,
      ),
      spill_path: v.optional(
        text(
          'File for rows that the store does not take, until it does. Default: the file of SQLite with `-spill` behind it; with other stores there is none, and rows wait in memory.',
        ),
      ),
      spill_max_bytes: v.optional(
        count(1, 'How large that file may become. Past it rows are dropped and counted.'),
        DEFAULTS.spill_max_bytes,
      ),
      retention_days: v.optional(
        count(0, 'Rows that are older are deleted, a few at a time. 0: none is.'),
        DEFAULTS.retention_days,
      ),
    },
    'must be a mapping with url: { url: "sqlite:fluxgate.db" }',
  ),
  v.description('A row for every request, in a database: who used which model, how many tokens, at what cost.'),
)

export const usage = v.pipe(
  v.strictObject(
    {
      prices: v.optional(
        text(
          'YAML file with prices of your own, which go before the public ones that Fluxgate brings. It is watched as this file is.',
        ),
      ),
      price_table: v.optional(
        text(
          'File with a newer table of public prices, as `fluxgate prices update` writes it, in place of the one that Fluxgate brings. It is watched as this file is.',
        ),
      ),
    },
    'must be a mapping with prices: { prices: prices.yaml }',
  ),
  v.description('How usage is turned into cost.'),
)

const USAGE_READINGS = ['auto', 'off', 'openai', 'anthropic', 'gemini', 'bedrock', 'cohere', 'ollama'] as const

export const upstreamUsage = v.pipe(
  v.picklist(USAGE_READINGS, `must be one of ${USAGE_READINGS.join(', ')}`),
  v.description(
    'How its answers say what they used. `auto`: told from what passes, exchange by exchange. `off`: nobody looks. Or one dialect by name.',
  ),
)

export const upstreamProvider = text(
  'Whose prices hold, as `fluxgate prices` names providers (`openai`, `azure`, …). Default: told from the host of `target_url`.',
)

const DOLLARS = 'must be a number of dollars from 0 to 1000000'

function dollars(description: string) {
  return v.pipe(v.number(DOLLARS), v.minValue(0, DOLLARS), v.maxValue(1_000_000, DOLLARS), v.description(description))
}

const rates = {
  input: v.optional(dollars('A million tokens of input.')),
  cached: v.optional(dollars('A million tokens of input that came from a cache. Default: as input.')),
  cache_write: v.optional(dollars('A million tokens that went into a cache. Default: as input.')),
  output: v.optional(dollars('A million tokens of output.')),
  reasoning: v.optional(dollars('A million tokens of reasoning. Default: as output.')),
  audio: v.optional(dollars('A million tokens of audio, both ways. Default: as input and output.')),
  request: v.optional(dollars('A request.')),
} as const

/** The file of `usage.prices`. */
export const PRICES_SCHEMA = v.strictObject(
  {
    version: v.literal(1, 'must be the integer 1'),
    prices: v.optional(
      v.array(
        v.strictObject(
          {
            model: text('The name of a model; each `*` in it stands for any text.'),
            upstream: v.optional(text('The upstream that it holds for. Default: all.')),
            provider: v.optional(text('The provider that it holds for. Default: all.')),
            ...rates,
            tiers: v.optional(
              v.array(
                v.strictObject(
                  { above: count(0, 'Tokens of input; these prices hold for a request with more.'), ...rates },
                  'must be a mapping with above and prices',
                ),
                'must be a list',
              ),
            ),
          },
          'must be a mapping with model and prices',
        ),
        'must be a list of prices',
      ),
    ),
  },
  'must be a mapping that begins with version: 1',
)
