import * as v from 'valibot'
import { secretOrPath, text } from './values.ts'

const CERT = 'PEM file of the certificate, with its issuers behind it. Needs `key`.'
const KEY =
  'PEM file of the private key of `cert`, without a passphrase; or the key itself, from `{ env: NAME }` or `{ file: PATH }`.'
const MIN_VERSION = 'must be "1.2" or "1.3"'

/** `server.tls`: TLS towards clients. */
export const serverTls = v.pipe(
  v.strictObject(
    {
      cert: v.optional(text(CERT)),
      key: v.optional(secretOrPath(KEY)),
      certificates: v.optional(
        v.pipe(
          v.array(
            v.strictObject(
              { cert: text(CERT), key: secretOrPath(KEY) },
              'must be a mapping with cert and key, such as { cert: tls/a.pem, key: tls/a-key.pem }',
            ),
            'must be a list of pairs, such as [{ cert: tls/a.pem, key: tls/a-key.pem }]',
          ),
          v.description(
            'Several pairs, instead of `cert` and `key`. A client gets the one that carries the name it asks for, else the first.',
          ),
        ),
      ),
      ca: v.optional(
        text(
          'PEM file of the certificates that sign those of clients. With it, a client needs such a certificate to connect at all.',
        ),
      ),
      min_version: v.optional(
        v.pipe(
          v.picklist(['1.2', '1.3', 1.2, 1.3], MIN_VERSION),
          v.description('The oldest version of TLS that is spoken: "1.2" or "1.3".'),
        ),
        '1.2',
      ),
    },
    'must be a mapping with cert and key: { cert: tls/cert.pem, key: tls/key.pem }',
  ),
  v.description(
    'TLS towards clients. The files are watched like this one: what they hold is live within a second, and open connections stay. Without it, the port speaks plain HTTP.',
  ),
)
