import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Job } from '../job.ts';
import { COLLECTIONS, HELLO, LARGE, thing } from '../sites.ts';
import { isTls } from '../wire.ts';

const { port, site, wire, certificate }: Job = JSON.parse(process.argv[2] ?? '');

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

const text =
  (body: string): Listener =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length });
    response.end(body);
  };

/** A map by the first segment: about the least that routing can cost. */
const collections = new Set(COLLECTIONS);
const routes: Listener = (request, response) => {
  const [, collection = '', id = null] = (request.url ?? '').split('/');
  if (!collections.has(collection)) {
    response.writeHead(404).end();
    return;
  }
  const body = JSON.stringify(thing(collection, id));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
};

const echo: Listener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': body.length });
    response.end(body);
  });
};

const sites: Readonly<Record<string, Listener>> = { hello: text(HELLO), large: text(LARGE), routes, echo };

const { cert, key } = certificate;
const server = isTls(wire)
  ? createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }, sites[site])
  : createServer(sites[site]);
server.keepAliveTimeout = 300_000;
server.listen({ host: '127.0.0.1', port, backlog: 4096 });
