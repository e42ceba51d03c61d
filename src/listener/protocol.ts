/** What is spoken on a connection: the one place that says so. */

/** Offered over TLS (RFC 7301), the first that a client offers too. */
export const ALPN_PROTOCOLS: string[] = ['http/1.1']
