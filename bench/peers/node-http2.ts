import { readFileSync } from 'node:fs';
import { createSecureServer, createServer, type ServerHttp2Stream } from 'node:http2';
import type { Job } from '../job.ts';
import { HELLO, LARGE } from '../sites.ts';
import { isTls } from '../wire.ts';

// The stream API, for requests and responses as in node:http cost more; and headers as a list, which costs less than an object.
const { port, site, wire, certificate }: Job = JSON.parse(process.argv[2] ?? '');

type Listener = (stream: ServerHttp2Stream) => void;

const headersOf = (type: string, lengthBytes: number): string[] => [
  ...[':status', '200', 'content-type', type],
  ...['content-length', String(lengthBytes)],
];

const text = (body: string): Listener => {
  const bytes = Buffer.from(body);
  const headers = headersOf('text/plain', bytes.length);
  return (stream) => {
    stream.respond(headers);
    stream.end(bytes);
  };
};

const echo: Listener = (stream) => {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('end', () => {
    if (stream.destroyed) return;
    const body = Buffer.concat(chunks);
    stream.respond(headersOf('application/octet-stream', body.length));
    stream.end(body);
  });
};

const sites: Readonly<Record<string, Listener>> = { hello: text(HELLO), large: text(LARGE), echo };
const answer = sites[site];
if (answer === undefined) throw new Error(`there is no site ${site}`);

const { cert, key } = certificate;
const server = isTls(wire) ? createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) }) : createServer();
server.on('stream', (stream: ServerHttp2Stream) => {
  stream.on('error', () => stream.destroy());
  answer(stream);
});
server.listen({ host: '127.0.0.1', port, backlog: 4096 });
