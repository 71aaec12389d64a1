import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import { HeaderFields } from '../../src/core/headers.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import type { HttpRequest } from '../../src/core/request.ts';
import { serve } from '../../src/server/serve.ts';
import { reply } from '../../src/web/reply.ts';

export const LARGE_BYTES = 16_777_216;

/** A server behind a proxy, and what it has seen. */
export interface Origin {
  readonly url: string;
  readonly protocol: 'http1' | 'h2';
  readonly seen: Seen;
  close(): Promise<void>;
}

/** What happened to requests at an origin. */
export class Seen {
  /** Body bytes that were given to the server to send. */
  givenBytes = 0;
  /** Body bytes that were taken of requests to `/hold`. */
  takenBytes = 0;
  /** Requests to `/hang` that have come, and whose client has gone. */
  hangingCount = 0;
  goneCount = 0;
  /** Lets `/hold` read. */
  readonly gate = Promise.withResolvers<void>();
}

/** Pieces of a large body, as fast as they are wanted. */
async function* large(seen: Seen): AsyncGenerator<Uint8Array> {
  const piece = Buffer.alloc(65_536);
  for (let at = 0; at < LARGE_BYTES; at += piece.length) {
    seen.givenBytes += piece.length;
    yield piece;
  }
}

// ── by Sluice ─────────────────────────────────────────────────────────────────────────────────────────────────────

async function answer(request: HttpRequest, seen: Seen): Promise<HttpResponse> {
  const { incoming, path } = request;
  switch (path) {
    case '/about':
      return reply.json({
        method: request.method,
        target: request.target,
        headers: Object.fromEntries(request.headers),
      });
    case '/echo':
      return { status: 200, body: incoming };
    case '/trailers': {
      const text = await request.text();
      const sum = incoming?.trailers?.get('x-sum') ?? 'none';
      const body = (async function* () {
        yield text;
      })();
      return { status: 200, body, trailers: () => HeaderFields.from({ 'x-got': sum }) };
    }
    case '/inform':
      request.inform({ status: 103, headers: { link: '</style.css>' } });
      return reply.text('informed');
    case '/early':
      return reply.text('no', { status: 403 });
    case '/large':
      return { status: 200, body: large(seen) };
    case '/cut':
      return {
        status: 200,
        body: (async function* () {
          yield 'half';
          await new Promise((resolve) => setImmediate(resolve));
          throw new Error('as asked');
        })(),
      };
    case '/hang':
      seen.hangingCount += 1;
      await once(request.signal, 'abort');
      seen.goneCount += 1;
      return { status: 204 };
    case '/hold':
      await seen.gate.promise;
      for await (const chunk of incoming ?? []) seen.takenBytes += chunk.length;
      return reply.text(String(seen.takenBytes));
    default:
      return { status: Number(path.slice(1)), headers: { etag: '"1"' } };
  }
}

async function sluice(protocol: 'http1' | 'h2'): Promise<Origin> {
  const seen = new Seen();
  const limits = { bodyMaxBytes: null };
  const listener = { bind: '127.0.0.1:0', protocols: [protocol], body: 'manual', limits } as const;
  const server = await serve({ listeners: [listener], handler: (request) => answer(request, seen) });
  const url = `http://127.0.0.1:${server.listeners[0]?.address.port}`;
  return { url, protocol, seen, close: () => server.close().then(() => undefined) };
}

// ── by Node ───────────────────────────────────────────────────────────────────────────────────────────────────────

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** Ends an answer in its middle, as the protocol has it. */
function breakOff(response: Response): void {
  if ('stream' in response) response.stream.close(2);
  else response.socket?.destroy();
}

async function respond(request: Request, response: Response, seen: Seen): Promise<void> {
  // One signature for both: in their types they differ in what they return.
  const write = (bytes: Uint8Array | string): boolean =>
    'stream' in response ? response.stream.write(bytes) : response.write(bytes);
  const end = (text = ''): void => void ('stream' in response ? response.end(text) : response.end(text));
  const begin = (status: number): void => {
    if ('stream' in response) response.writeHead(status);
    else response.writeHead(status);
  };
  const { method, url = '' } = request;
  switch (url) {
    case '/echo':
      begin(200);
      for await (const chunk of request)
        if (!write(chunk)) await once('stream' in response ? response.stream : response, 'drain');
      end();
      break;
    case '/trailers': {
      let text = '';
      for await (const chunk of request) text += chunk;
      response.setHeader('trailer', 'x-got');
      begin(200);
      write(text);
      const sum = { 'x-got': String(request.trailers['x-sum'] ?? 'none') };
      if ('stream' in response) response.addTrailers(sum);
      else response.addTrailers(sum);
      end();
      break;
    }
    case '/inform':
      response.writeEarlyHints({ link: '</style.css>' });
      end('informed');
      break;
    case '/early':
      begin(403);
      end('no');
      break;
    case '/large': {
      begin(200);
      const target = 'stream' in response ? response.stream : response;
      for await (const piece of large(seen)) if (!target.write(piece)) await once(target, 'drain');
      end();
      break;
    }
    case '/cut':
      begin(200);
      write('half');
      setImmediate(() => setImmediate(() => breakOff(response)));
      break;
    case '/hang':
      seen.hangingCount += 1;
      response.on('close', () => {
        seen.goneCount += 1;
      });
      break;
    case '/hold':
      await seen.gate.promise;
      for await (const chunk of request) seen.takenBytes += Buffer.from(chunk).length;
      end(String(seen.takenBytes));
      break;
    default:
      if (url.startsWith('/about')) {
        begin(200);
        end(JSON.stringify({ method, target: url, headers: request.headers }));
        break;
      }
      response.setHeader('etag', '"1"');
      begin(Number(url.slice(1)));
      end();
  }
}

async function node(protocol: 'http1' | 'h2'): Promise<Origin> {
  const seen = new Seen();
  const sockets = new Set<Socket>();
  const handle = (request: Request, response: Response): void => {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    respond(request, response, seen).catch(() => undefined);
  };
  const server: NetServer = protocol === 'h2' ? createHttp2Server(handle) : createServer(handle);
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    protocol,
    seen,
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The origins that a proxy is tried with. */
export const ORIGINS: readonly (readonly [name: string, start: () => Promise<Origin>])[] = [
  ['HTTP/1.1 by Sluice', () => sluice('http1')],
  ['HTTP/1.1 by Node', () => node('http1')],
  ['HTTP/2 by Sluice', () => sluice('h2')],
  ['HTTP/2 by Node', () => node('h2')],
];
