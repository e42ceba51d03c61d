/**
 * `content-origin.ts <answer> [tls]`: an origin that reads each request's content to its end, and answers. Prints its port.
 */
import { listen } from './listen.ts'
import { onRequest } from './on-request.ts'

const answer = process.argv[2]!
const response = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`,
)

listen(process.argv[3] === 'tls', (socket) => onRequest(() => socket.write(response)))
