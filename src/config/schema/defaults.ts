/** What holds where the configuration file is silent. */
export const DEFAULTS = {
  bind_address: '0.0.0.0:8080',
  socket_mode: '0660',
  max_connections: 1024,
  workers: 'auto',
  allow_anonymous: false,
  head_timeout_ms: 10_000,
  body_timeout_ms: 60_000,
  keep_alive_timeout_ms: 75_000,
  connect_timeout_ms: 10_000,
  response_timeout_ms: 600_000,
  idle_timeout_ms: 600_000,
  upstream_keep_alive_timeout_ms: 20_000,
  max_connection_age_ms: 600_000,
  credential: 'swap',
  require_exp: false,
  leeway_ms: 5_000,
} as const
