import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { until } from './scripted.ts';

/** An HTTP/2 server of Node's that leaves each stream to the test. */
export class Origin implements AsyncDisposable {
  readonly streams: ServerHttp2Stream[] = [];
  readonly bodies: string[] = [];
  readonly url: string;
  private readonly server: Http2Server;
  private readonly sessions = new Set<ServerHttp2Session>();

  private constructor(server: Http2Server, port: number) {
    this.server = server;
    this.url = `http://127.0.0.1:${port}`;
    server.on('session', (session) => this.sessions.add(session.on('error', () => undefined)));
    server.on('stream', (stream: ServerHttp2Stream) => {
      const index = this.streams.push(stream) - 1;
      this.bodies[index] = '';
      stream.on('error', () => undefined);
      stream.on('data', (piece: Buffer) => {
        this.bodies[index] += piece.toString();
      });
    });
  }

  static async listen(): Promise<Origin> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return new Origin(server, typeof address === 'object' && address !== null ? address.port : 0);
  }

  /** The stream of the n-th request, once it is there. */
  async stream(index: number): Promise<ServerHttp2Stream> {
    await until(() => this.streams.length > index);
    const stream = this.streams[index];
    if (stream === undefined) throw new Error('no stream');
    return stream;
  }

  disconnect(): void {
    for (const session of this.sessions) session.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    this.disconnect();
    await once(this.server, 'close');
  }
}
