/**
 * Reason phrases of the statuses that we answer with ourselves (RFC 9110 section 15, RFC 6585 section 5). `node:http` has them all,
 * and costs 5 MB on each thread that loads it.
 */
const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  408: 'Request Timeout',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
}

/** A status line may do without one. */
export function reasonOf(status: number): string {
  return REASONS[status] ?? ''
}
