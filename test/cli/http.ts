import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** What to ask besides a URL. */
export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly socketPath?: string;
}

/** One request on a connection of its own. */
export function ask(url: string, { body, ...question }: Question = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { agent: false, ...question }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      response.on('error', reject);
    });
    asking.on('error', reject).end(body);
  });
}

/** A request that an upstream under test has got and not answered yet. */
export interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** An upstream whose answers the test gives. */
export interface Upstream {
  readonly url: string;
  /** Connections it has accepted so far. */
  connectionCount: number;
  /** The next request that is not answered by itself. */
  asked(): Promise<Asked>;
}

/** Starts an upstream. `answer` answers by itself, unless it returns false. */
export async function startUpstream(
  context: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => boolean = () => false,
): Promise<Upstream> {
  const waiting: Asked[] = [];
  const wanted: ((asked: Asked) => void)[] = [];
  const server = createServer((incoming, response) => {
    if (answer(incoming, response)) return;
    const asked = { request: incoming, response };
    const next = wanted.shift();
    if (next === undefined) waiting.push(asked);
    else next(asked);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const upstream: Upstream = {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    connectionCount: 0,
    asked() {
      const asked = waiting.shift();
      return asked === undefined ? new Promise((resolve) => wanted.push(resolve)) : Promise.resolve(asked);
    },
  };
  server.on('connection', () => {
    upstream.connectionCount += 1;
  });
  return upstream;
}

function portOf(address: AddressInfo | string | null): number {
  if (typeof address !== 'object' || address === null) throw new Error('not a TCP address');
  return address.port;
}
