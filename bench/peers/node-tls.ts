import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';
import type { Job } from '../job.ts';
import { HELLO } from '../sites.ts';

// Answers whatever comes with the same bytes and parses nothing: what TLS costs on Node before there is any HTTP.
const { port, certificate }: Job = JSON.parse(process.argv[2] ?? '');

const head = `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${HELLO.length}`;
const answer = Buffer.from(`${head}\r\n\r\n${HELLO}`);
const lastAnswer = Buffer.from(`${head}\r\nconnection: close\r\n\r\n${HELLO}`);

const tls = { cert: readFileSync(certificate.cert), key: readFileSync(certificate.key), noDelay: true };
const server = createServer(tls, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.once('data', (first: Buffer) => {
    if (first.includes('close')) {
      socket.end(lastAnswer);
      return;
    }
    socket.write(answer);
    socket.on('data', () => socket.write(answer));
  });
});
server.listen({ host: '127.0.0.1', port, backlog: 4096 });
