/** The tables of SQLite. Everything in it may be run again. */

/** What sums are kept by: the questions of `fluxgate usage`. Absent values are empty, an absent status is 0. */
export const SUM_KEYS = ['hour', 'api_key', 'model', 'upstream', 'status', 'outcome', 'usage'] as const

/** In the file itself, as `user_version`. */
export const SQLITE_VERSION = 1

export const SQLITE_SCHEMA = `CREATE TABLE IF NOT EXISTS fluxgate_records (
  instance TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  time INTEGER NOT NULL, -- milliseconds since 1970 (UTC), when the exchange ended
  client_ip TEXT, peer_ip TEXT, method TEXT, request_url TEXT, request_body_length TEXT,
  api_key TEXT, subject TEXT, client_cert TEXT, target_url TEXT, upstream TEXT,
  duration_ms REAL, status INTEGER, response_body_length TEXT,
  request_bytes INTEGER, response_bytes INTEGER, ttfb_ms REAL, outcome TEXT, error TEXT,
  upstream_address TEXT, request_id TEXT, cause TEXT,
  model TEXT, request_model TEXT,
  input_tokens INTEGER, cached_tokens INTEGER, cache_write_tokens INTEGER, output_tokens INTEGER, reasoning_tokens INTEGER,
  cost_usd REAL, usage TEXT, ttft_ms REAL,
  units TEXT -- JSON
);
-- What makes a row that is written again change nothing.
CREATE UNIQUE INDEX IF NOT EXISTS fluxgate_records_key ON fluxgate_records (instance, sequence);
CREATE INDEX IF NOT EXISTS fluxgate_records_time ON fluxgate_records (time);
-- Sums of each hour, kept with the rows in one transaction.
CREATE TABLE IF NOT EXISTS fluxgate_hours (
  id INTEGER PRIMARY KEY,
  hour INTEGER NOT NULL, -- its beginning, milliseconds since 1970 (UTC)
  api_key TEXT NOT NULL,
  model TEXT NOT NULL,
  upstream TEXT NOT NULL,
  status INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  usage TEXT NOT NULL,
  requests INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
  cost_nano_usd INTEGER NOT NULL,
  unpriced_requests INTEGER NOT NULL, -- with tokens and without cost
  UNIQUE (${SUM_KEYS.join(', ')})
);
-- How many requests had a time to first token of about 1.02^bucket milliseconds.
CREATE TABLE IF NOT EXISTS fluxgate_hours_ttft (
  hours_id INTEGER NOT NULL, -- of fluxgate_hours
  bucket INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  PRIMARY KEY (hours_id, bucket)
) WITHOUT ROWID;
PRAGMA user_version = ${SQLITE_VERSION};
`
