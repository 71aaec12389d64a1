import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { LOCALHOST } from '../support/certificates.ts';

/** One connection to a scripted upstream: what came in as text, and a hand on what goes out. */
export class ScriptedConnection {
  readonly socket: Socket;
  received = '';
  ended = false;
  private waiting: { readonly holds: () => boolean; readonly resolve: () => void } | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
      this.check();
    });
    socket.on('error', () => undefined);
    socket.on('end', () => {
      this.ended = true;
      this.check();
    });
    socket.on('close', () => {
      this.ended = true;
      this.check();
    });
  }

  /** Everything up to and with `until` is taken out of `received`, once it is there. */
  async take(until: string): Promise<string> {
    await this.wait(() => this.received.includes(until));
    const end = this.received.indexOf(until) + until.length;
    const taken = this.received.slice(0, end);
    this.received = this.received.slice(end);
    return taken;
  }

  /** The head of the next request. */
  head(): Promise<string> {
    return this.take('\r\n\r\n');
  }

  write(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Answers the next request whole. Returns its head. */
  async answer(body = 'ok', fields = ''): Promise<string> {
    const head = await this.head();
    this.write(`HTTP/1.1 200 OK\r\n${fields}content-length: ${body.length}\r\n\r\n${body}`);
    return head;
  }

  /** The other side has closed. */
  closed(): Promise<void> {
    return this.wait(() => this.ended);
  }

  /** Closes with a reset. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  private wait(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.waiting = { holds, resolve };
      this.check();
    });
  }

  private check(): void {
    const { waiting } = this;
    if (waiting === null || !waiting.holds()) return;
    this.waiting = null;
    waiting.resolve();
  }
}

/** A server that speaks only the bytes a test gives it. */
export class ScriptedUpstream implements AsyncDisposable {
  /** In the order they were accepted. */
  readonly accepted: ScriptedConnection[] = [];
  private readonly server: Server;
  private readonly scheme: 'http' | 'https';
  private waiting: (() => void) | null = null;
  private takenCount = 0;

  private constructor(server: Server, scheme: 'http' | 'https') {
    this.server = server;
    this.scheme = scheme;
    server.on(scheme === 'http' ? 'connection' : 'secureConnection', (socket: Socket) => {
      this.accepted.push(new ScriptedConnection(socket));
      this.waiting?.();
    });
  }

  static listen(): Promise<ScriptedUpstream> {
    return ScriptedUpstream.on(createServer({ noDelay: true }), 'http');
  }

  /** Behind TLS; the certificate is for `localhost` and 127.0.0.1 unless the options have another. */
  static listenTls(options: TlsOptions = {}): Promise<ScriptedUpstream> {
    return ScriptedUpstream.on(createTlsServer({ noDelay: true, ...LOCALHOST, ...options }), 'https');
  }

  private static async on(server: Server, scheme: 'http' | 'https'): Promise<ScriptedUpstream> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ScriptedUpstream(server, scheme);
  }

  get port(): number {
    const address = this.server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get url(): string {
    return `${this.scheme}://127.0.0.1:${this.port}`;
  }

  /** The next connection that nobody has asked for yet. */
  async connection(): Promise<ScriptedConnection> {
    for (;;) {
      const next = this.accepted[this.takenCount];
      if (next !== undefined) {
        this.takenCount += 1;
        return next;
      }
      await new Promise<void>((resolve) => {
        this.waiting = resolve;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.accepted) socket.destroy();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }
}

/** A port where nobody listens. */
export async function deafUrl(): Promise<string> {
  await using upstream = await ScriptedUpstream.listen();
  return upstream.url;
}

/** Lets everything that is under way in this process and its sockets happen, until `holds`. */
export async function until(holds: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 5000;
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error('it did not become so within five seconds');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Some turns of the event loop, for what must not happen. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i += 1) await new Promise((resolve) => setImmediate(resolve));
}
