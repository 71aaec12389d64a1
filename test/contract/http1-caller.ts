import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { connect as secure } from 'node:tls';
import { TEST_AUTHORITY } from '../support/certificates.ts';
import { type Asked, type Caller, type Head, plain, type Question, type Switched, textOf } from './caller.ts';

/** The TCP sockets under those of TLS: only they can be reset. */
const beneath = new WeakMap<Duplex, Socket>();

class LayeredAgent extends TlsAgent {
  override createConnection({ port = 0 }: { port?: number | string | null | undefined }): Duplex {
    const socket = connect({ port: Number(port), host: '127.0.0.1' });
    const secured = secure({ socket, host: '127.0.0.1', ca: TEST_AUTHORITY.cert, ALPNProtocols: ['http/1.1'] });
    beneath.set(secured, socket);
    return secured;
  }
}

/** Leaves so that the server sees it at once: an end would leave the client's ears open (RFC 9112 §9.6). */
function reset(socket: Socket): void {
  const below = beneath.get(socket) ?? socket;
  // One that has said its end cannot be reset any more, and Node would keep it for ever.
  if (below.writableEnded) socket.destroy();
  else below.resetAndDestroy();
}

/** Node's HTTP/1.1 client; as many connections as there are requests at once, each kept for the next one. */
export class Http1Caller implements Caller {
  private readonly agent: Agent | TlsAgent;
  private readonly port: number;
  private readonly secure: boolean;
  private readonly switched: Duplex[] = [];

  constructor(port: number, secure: boolean) {
    this.port = port;
    this.secure = secure;
    this.agent = secure ? new LayeredAgent({ keepAlive: true }) : new Agent({ keepAlive: true });
  }

  ask(question: Question = {}): Asked {
    const { body, open = false } = question;
    const message = this.request(question);
    const asked = new Http1Asked(message);
    if (open) message.flushHeaders();
    else message.end(body);
    return asked;
  }

  upgrade(protocol: string, path = '/'): Promise<Switched> {
    const message = this.request({ path, headers: { connection: 'Upgrade', upgrade: protocol } });
    message.end();
    return new Promise((resolve, reject) => {
      message.on('upgrade', (response, socket, first) => {
        this.switched.push(socket);
        if (first.length > 0) socket.unshift(first);
        resolve({ ...headOf(response), socket, breakOff: () => reset(response.socket) });
      });
      message.on('response', ({ statusCode }) => reject(new Error(`answered ${statusCode}`)));
      message.on('error', reject);
    });
  }

  close(): void {
    this.agent.destroy();
    for (const socket of this.switched) socket.destroy();
  }

  private request({ method = 'GET', path = '/', headers = {}, body, open }: Question): ClientRequest {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const chunked = open === true && headers['content-length'] === undefined ? { 'transfer-encoding': 'chunked' } : {};
    const options = {
      port: this.port,
      host: '127.0.0.1',
      method,
      path,
      headers: { ...length, ...chunked, ...headers },
    };
    return this.secure
      ? tlsRequest({ ...options, ...(this.agent instanceof TlsAgent ? { agent: this.agent } : {}) })
      : request({ ...options, agent: this.agent });
  }
}

class Http1Asked implements Asked {
  readonly informed: Head[] = [];
  private readonly message: ClientRequest;
  private readonly response: Promise<IncomingMessage>;
  private received: IncomingMessage | null = null;

  constructor(message: ClientRequest) {
    this.message = message;
    message.on('information', (info) => this.informed.push({ status: info.statusCode, headers: plain(info.headers) }));
    this.response = new Promise((resolve, reject) => {
      message.on('error', reject);
      message.on('response', (response) => {
        this.received = response;
        response.on('error', () => undefined);
        resolve(response);
      });
    });
    this.response.catch(() => undefined);
  }

  async head(): Promise<Head> {
    return headOf(await this.response);
  }

  body(): Promise<Readable> {
    return this.response;
  }

  async text(): Promise<string> {
    return textOf(await this.response);
  }

  trailers(): Readonly<Record<string, string>> {
    return plain(this.received?.trailers ?? {});
  }

  write(bytes: string | Uint8Array): boolean {
    return this.message.write(bytes);
  }

  async drained(): Promise<void> {
    await new Promise<void>((resolve) => this.message.once('drain', resolve));
  }

  end(bytes = '', trailers?: Readonly<Record<string, string>>): void {
    if (trailers !== undefined) this.message.addTrailers({ ...trailers });
    this.message.end(bytes);
  }

  abort(): void {
    const { socket } = this.message;
    this.message.on('error', () => undefined);
    if (socket === null) this.message.destroy();
    else reset(socket);
  }
}

const headOf = ({ statusCode, headers }: IncomingMessage): Head => ({
  status: statusCode ?? 0,
  headers: plain(headers),
});
