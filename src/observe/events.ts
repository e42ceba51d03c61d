import type { Fields, Level, Log } from './log.ts'

/**
 * The events of the process's life. Operators have alerts on these texts: a change of one of them is a breaking change.
 * `{}` in a message is an address or the name of a signal.
 */

export interface EventKind {
  readonly level: Level
  readonly message: string
  /** Names of its fields, in order. */
  readonly fields: readonly string[]
  /** For the reference. */
  readonly meaning: string
}

function kind(level: Level, message: string, fields: string, meaning: string): EventKind {
  return { level, message, fields: fields === '' ? [] : fields.split(' '), meaning }
}

const info = (message: string, fields: string, meaning: string): EventKind => kind('info', message, fields, meaning)
const warn = (message: string, fields: string, meaning: string): EventKind => kind('warn', message, fields, meaning)
const error = (message: string, fields: string, meaning: string): EventKind => kind('error', message, fields, meaning)

const RELOADED = 'Configuration file changed, reloaded automatically'
const CHANGE_FIELDS =
  'keys_added keys_removed keys_changed upstreams_added upstreams_removed upstreams_changed files_changed'

export const EVENTS = {
  unknownSetting: warn(
    'Unknown log setting; using the default',
    'name value expected',
    'An environment variable of the log has a value that it does not take.',
  ),
  rootsMissing: warn(
    'Certificates of the machine not found',
    'name path',
    'The environment variable `name` says where the roots of the machine are, and nothing is there. Those that come with Node are trusted all the same.',
  ),
  runtimeWarning: warn(
    'Node.js warning',
    'name code error',
    'Something that Node would have written to stderr in a format of its own.',
  ),
  suspicious: warn(
    'Refused a request that could be an attack',
    'client_ip error reason cause',
    'A request was framed in a way that could hide another one in it, or tried to make the gateway drop a protected field.',
  ),
  outOfDescriptors: warn(
    'Out of file descriptors',
    'client_ip error reason cause',
    'An upstream could not be connected to because the process may open no more files. Raise its limit (`ulimit -n`). Said once a minute while it lasts; each request that it costs has its record.',
  ),
  fewDescriptors: warn(
    'Fewer file descriptors than connections may need',
    'limit needed max_connections cure',
    'The process may open `limit` files. `server.max_connections` connections take two each, each of several workers 12, the process itself 64. When they run out, clients are hung up on. Said at the start, and when a reload changes the number.',
  ),
  fewThreads: warn(
    'Few threads for name look-ups',
    'threads cure',
    'A program that has the gateway in its process has started the threads of Node before, with so many. Name servers that say nothing take half of them, and then every look-up waits. Set `UV_THREADPOOL_SIZE` before the program starts.',
  ),
  bug: error(
    'A request has failed because of a bug',
    'error',
    'The one request got a 500 or was cut; everything else goes on. Please report it.',
  ),
  acceptFailed: error(
    'Connections cannot be accepted',
    'error',
    'The listening socket fails. Said once a minute while it lasts.',
  ),
  proxyHeader: warn(
    'Closed a connection without a valid PROXY header',
    'peer_ip error count',
    '`server.proxy_protocol` requires one from this peer. `error` is `no_header` (it speaks without one: switch it on there, or take the peer out of `from`), `malformed`, `too_long` or `timeout` (it was not whole within `server.head_timeout_ms`). Said once a minute at most; `count` is how many there were since it was said last.',
  ),
  starting: info('Starting fluxgate proxy with configuration path', 'path', 'The first line of a start.'),
  proxyVariables: info(
    'Proxy variables of the environment are not used',
    'names',
    'The environment has some of `HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY` (or in lower case), as `names` says. An upstream goes through a proxy if its `proxy` says so.',
  ),
  defaultConfiguration: warn(
    'Using default configuration due to load failure',
    'path error status cause',
    'The file is missing or invalid at start. Every request gets 503 until it can be loaded, on the address of the file if that can be read. `cause` is `parse`, `validation` or `io`.',
  ),
  configurationWarning: warn(
    'Configuration warning',
    'problem',
    'Something in the file is probably a mistake: an unknown key, a placeholder where a key should be, a short key.',
  ),
  loaded: info('Loaded configuration', 'path status', 'The file is valid and will be served.'),
  fieldsChanged: info(
    'Fields are changed for upstream',
    'upstream removed set kept rewritten',
    'The file asks for it (`remove_fields`, `set_fields`, `keep_fields`, `rewrite_location`, `rewrite_upload_url`): names of fields, said once for each upstream at the start and after each reload.',
  ),
  initialized: info('Fluxgate proxy initialized', 'path', 'Ready to listen; never on the default configuration.'),
  binding: info('Starting proxy server on {}', '', 'The socket is about to be bound to the configured address.'),
  listening: info(
    'Fluxgate proxy server listening on {}',
    '',
    'Clients can connect; with port 0 this says which port it is.',
  ),
  bindFailed: warn(
    'Failed to bind to address',
    'address error',
    'The address cannot be listened on. At start the process exits with 1; after a reload the old address keeps serving.',
  ),
  notListening: error(
    'Nothing is listened on, trying again',
    'address error',
    'A reload moved the listener to an address that could not be bound, and by then the old one, `address`, could not be bound again either. It is tried again after 100 ms, and less and less often, every five seconds at least; a reload tries the address in the file. `Fluxgate proxy server listening on` tells that it is over.',
  ),
  reloaded: info(
    RELOADED,
    `path status ${CHANGE_FIELDS}`,
    'A change of the file is live. The other fields name what is different, twenty names each at most; `files_changed` are files that it takes secrets or certificates from.',
  ),
  reloadedToNothing: warn(
    RELOADED,
    `path status problem ${CHANGE_FIELDS}`,
    'The same, where no key or no upstream is left of those that there were. `problem` says what that means. Perhaps the file was only half written.',
  ),
  certificateReloaded: info(
    'TLS certificate reloaded',
    'path',
    'A certificate of `server.tls`, or its `ca`, has another content, which counts for every handshake from now on. Open connections stay as they are.',
  ),
  certificateKept: warn(
    'TLS certificate could not be loaded; keeping the previous one',
    'path error',
    'The files of a certificate of `server.tls`, or its `ca`, hold nothing of use any more, or a certificate and the key of another. What they held before goes on. Said once for each content.',
  ),
  handshakeFailed: info(
    'TLS handshakes with clients failed',
    'client_ip cause count',
    'A client did not come to terms with `server.tls`: `cause` is a code of OpenSSL (`ERR_SSL_…`), of the system, or why its certificate was refused; `timeout`: it took more than ten seconds. Said once a minute at most, of the last one; `count` is how many there were since it was said last.',
  ),
  addressChanged: info(
    'Bind address changed, restarting server',
    'old_address new_address',
    'A reload moved the listener; connections to the old address are served to their end.',
  ),
  invalid: warn(
    'Configuration file changed but validation failed; keeping previous settings',
    'path error',
    'A change of the file was refused.',
  ),
  missing: warn(
    'Configuration file not found during polling; continuing with last valid configuration',
    'path',
    'The file is gone.',
  ),
  denied: warn(
    'Configuration file access denied during polling; continuing with last valid configuration',
    'path',
    'The file cannot be read.',
  ),
  restored: info(
    'Configuration file is valid again; settings unchanged',
    'path',
    'After one of the three lines above: the file is there, can be read, and says what is in force.',
  ),
  notWatched: info(
    'Configuration was read from a pipe and is not watched',
    'path',
    'After a start with `--config -` or with a pipe: a change needs a restart. Files that it names are not watched either.',
  ),
  notReadAgain: warn(
    'Configuration was read from a pipe and cannot be read again',
    'path',
    'A SIGHUP asked for a reload. What is in force stays.',
  ),
  reloadFailed: error(
    'Publishing the configuration failed',
    'path error stack',
    'A bug of the gateway: please report it.',
  ),
  configurationThreadDied: error(
    'Configuration thread died, starting another',
    'path error stack',
    'A bug of the gateway, or a file that takes more memory than there is. The configuration of before goes on; changes of the file are seen again when the next thread runs. Said again after ten minutes if the reason stays the same.',
  ),
  workerDied: error(
    'Worker died, replaced',
    'worker reason stack',
    'One of the threads that serve has ended by a bug, or had no memory left. Another one takes its place, at once the first time and after up to a minute if it happens again and again. After a bug its exchanges had five seconds to end; else they were lost. Please report it.',
  ),
  workerStuck: warn(
    'Worker does not respond',
    'worker seconds',
    'One of the threads that serve has not come back from what it does for so long. It gets no new connections until it does. A bug of the gateway, or a machine that has too little memory.',
  ),
  oneWorker: warn(
    'Connections cannot be shared among workers here; one serves',
    'reason',
    '`server.workers` asks for more than one thread, and this system has no way to hand connections from one to another. Everything else works as always.',
  ),
  adminListening: info(
    'Admin server listening on {}',
    '',
    'The operations door is there: `/live`, `/ready`, `/metrics`, `/status`.',
  ),
  adminBindFailed: error(
    'Failed to bind to admin address',
    'address error',
    'At the start `admin.bind_address` cannot be listened on: the process exits with 1.',
  ),
  adminNotMoved: warn(
    'Failed to bind to admin address',
    'address error',
    'After a reload the new `admin.bind_address` cannot be listened on; the old one, if there was one, stays.',
  ),
  adminClosed: warn(
    'Metrics and status are closed: admin.token is not set',
    'address',
    '`admin.bind_address` can be reached from other machines. Without a token `/metrics` and `/status` answer 403; probes are answered.',
  ),
  upgradeStarted: info(
    'Upgrade started',
    'successor',
    'SIGUSR2: another process of that pid was started, and is to listen on the same sockets.',
  ),
  upgradeComplete: info(
    'Upgrade complete; draining',
    'successor',
    'The other process listens. This one accepts nobody any more, lets what runs come to its end, and exits.',
  ),
  upgradeFailed: error(
    'Upgrade failed; going on',
    'error',
    'There is no other process that listens, for this reason; its own lines, if it wrote any, are in this log. Nothing has changed.',
  ),
  pidFileFailed: error('Failed to write the pid file', 'path error', 'The gateway does not start without it.'),
  stopping: info('Shutdown signal received ({}); shutting down proxy', '', 'No new connections; what runs may end.'),
  stoppingAtOnce: warn(
    'Second shutdown signal received ({}); exiting at once',
    'connections',
    'Exchanges that still run are cut.',
  ),
  waiting: info(
    'Waiting for connections before shutdown',
    'connections waited_ms limit_ms',
    'What runs is let finish. Said at once, and every ten seconds; never if nothing is waited for. `limit_ms` is `server.shutdown_timeout_ms`, if it is set.',
  ),
  cut: warn(
    'Exchanges were cut at the end of the shutdown timeout',
    'connections',
    '`server.shutdown_timeout_ms` was over before they were. The process exits with 1.',
  ),
  stopped: info('Proxy server shutdown complete', '', 'The last line of a stop.'),
  crashed: error(
    'Uncaught exception; shutting down',
    'origin error stack',
    'A bug of the gateway: please report it. What runs gets five seconds to end, then the process exits with 1.',
  ),
  dropped: warn(
    'Log records dropped',
    'count',
    'Standard output took nothing for so long that lines had to be left out, of all workers together. Stands where they are missing.',
  ),
  ledgerOpened: info(
    'Ledger opened',
    'place prices',
    'Rows go to this store from now on, priced by this version of the public prices. Whether the store can be reached shows with the first row.',
  ),
  ledgerFailing: warn(
    'Ledger cannot be written; rows wait',
    'place error waiting',
    'The store takes no rows. They wait in the spill file, or in memory where there is none, and are written once it does. Said once, until it does.',
  ),
  ledgerRecovered: info('Ledger is written again', 'place', 'The store takes rows again; what has waited follows.'),
  ledgerRefuses: warn(
    'Ledger refuses rows; dropped them',
    'place error rows',
    'The store works and takes other rows, but not what these hold: a value that its column does not take, or a constraint that somebody has added. Said once a minute at most.',
  ),
  ledgerRecreated: warn(
    'Ledger file was gone; made a new one',
    'place',
    'Somebody has removed or replaced the file of SQLite while it was in use. Its rows went with it.',
  ),
  spillFailing: warn(
    'Spill file of the ledger cannot be used',
    'path error',
    'Rows that the store does not take wait in memory instead, up to `ledger.queue_rows`, and a kill loses them.',
  ),
  spillFull: warn(
    'Spill file of the ledger is full',
    'path',
    'It has reached `ledger.spill_max_bytes`. Rows wait in memory; past `ledger.queue_rows` they are dropped and counted.',
  ),
  spillRecreated: warn(
    'Spill file of the ledger was gone; made a new one',
    'path lost',
    'Somebody has removed or replaced it while it was in use. Its rows are in the new one, but for those that could not be read any more.',
  ),
  spillLost: warn(
    'Spill file of the ledger has lost rows',
    'path lost',
    'Somebody has emptied or overwritten it while it was in use. The rows that were in it are counted as dropped.',
  ),
  spillTorn: warn(
    'Spill file of the ledger was torn; skipped what is broken',
    'path bytes',
    'A kill, a full disk or another program has left records in it that are not whole. The others are written.',
  ),
  pricesChanged: info(
    'Public prices replaced',
    'prices',
    'The file of `usage.price_table` has changed. Rows that come from now on are priced by this version of it.',
  ),
  priceUnknown: warn(
    'No price known for a model',
    'model upstream',
    'Its rows have no cost. Update the public prices (`fluxgate prices update`), add a price to the file of `usage.prices`, or name the provider (`upstreams.<name>.provider`). Said once for each model.',
  ),
  ledgerThreadDied: error(
    'Ledger thread died, starting another',
    'error',
    'A bug of the gateway. The rows that it had not written are handed to the next one.',
  ),
  ledgerClosed: info(
    'Ledger closed',
    'accepted written queued spilled dropped',
    'What became of all rows of this process; `accepted` is the sum of the others. Rows in the spill file are written after the next start.',
  ),
} as const

/** Logs an event; `subject` takes the place of `{}`. */
export function announce(log: Log, event: EventKind, fields?: Fields, subject = ''): void {
  log[event.level](
    event.message.replace('{}', () => subject),
    fields,
  )
}
