import * as v from 'valibot'
import { secret } from './values.ts'

/** `admin`: the operations door. */
export const admin = v.pipe(
  v.strictObject(
    {
      bind_address: v.optional(
        v.pipe(
          v.string('must be text: an address and a port, such as "127.0.0.1:9090"'),
          v.description(
            'Where it listens: an address and a port of its own, or `unix:` and the path of a socket, as in `server.bind_address`. Without it, there is no such listener.',
          ),
        ),
      ),
      token: v.optional(
        secret(
          'What `/metrics` and `/status` want as `Authorization: Bearer`. Without it they are open on a loopback address or a Unix socket, and closed (403) on any other. `/live` and `/ready` never want it.',
        ),
      ),
    },
    'must be a mapping with bind_address: { bind_address: "127.0.0.1:9090" }',
  ),
  v.description(
    'The operations door, apart from the port of the clients: `/live`, `/ready`, `/metrics` and `/status`.',
  ),
)
