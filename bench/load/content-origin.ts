/** `content-origin.ts <answer>`: an origin that reads each request's content to its end, and answers. Prints its port. */
import net from 'node:net'
import { onRequest } from './on-request.ts'

const answer = process.argv[2]!
const response = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`

const server = net.createServer({ noDelay: true }, (socket) => onRequest(socket, () => socket.write(response)))
server.listen(0, '127.0.0.1', () => console.log((server.address() as net.AddressInfo).port))
