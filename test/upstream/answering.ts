import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** A server that answers at once with what it is told, or does whatever a test wants. */
export class Answering implements AsyncDisposable {
  /** Requests that have come. */
  hitCount = 0;
  status = 200;
  readonly url: string;
  /** In place of an answer with `status`. */
  instead: ((request: IncomingMessage, response: ServerResponse) => void) | null = null;
  private readonly server: Server;

  private constructor(server: Server, port: number) {
    this.server = server;
    this.url = `http://127.0.0.1:${port}`;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.hitCount += 1;
      request.on('error', () => undefined).resume();
      if (this.instead === null) response.writeHead(this.status).end();
      else this.instead(request, response);
    });
  }

  static async listen(): Promise<Answering> {
    const server = createServer({ keepAliveTimeout: 60_000 });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return new Answering(server, typeof address === 'object' && address !== null ? address.port : 0);
  }

  /** Stops to answer: connections are cut off, and new ones refused. */
  async stop(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
