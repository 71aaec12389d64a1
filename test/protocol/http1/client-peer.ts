import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { IncomingBody } from '../../../src/core/body.ts';
import type {
  ClientConnection,
  ClientConnectionOwner,
  OutgoingRequest,
  ResponseObserver,
} from '../../../src/core/client.ts';
import type { Failure } from '../../../src/core/failure.ts';
import { HeaderFields } from '../../../src/core/headers.ts';
import { Lifecycle } from '../../../src/core/lifecycle.ts';
import type { Protocol } from '../../../src/core/request.ts';
import { Http1ClientConnection } from '../../../src/protocol/http1/client.ts';
import { HTTP1_CLIENT_DEFAULTS, type Http1ClientLimits } from '../../../src/protocol/http1/client-limits.ts';
import { ReadBuffer } from '../../../src/upstream/read-buffer.ts';
import { type ScriptedConnection, ScriptedUpstream } from '../../upstream/scripted.ts';

/** Hears an answer and keeps it. */
export class Answer implements ResponseObserver {
  status = 0;
  protocol: Protocol | null = null;
  headers = HeaderFields.EMPTY;
  body: Uint8Array | IncomingBody | null = null;
  failure: Failure | null = null;
  switched: { readonly socket: Duplex; readonly firstBytes: Uint8Array } | null = null;
  readonly informed: number[] = [];
  private wake: (() => void) | null = null;

  onInform(status: number): void {
    this.informed.push(status);
  }

  onResponse(status: number, protocol: Protocol, headers: HeaderFields, body: Uint8Array | IncomingBody | null): void {
    this.status = status;
    this.protocol = protocol;
    this.headers = headers;
    this.body = body;
    this.wake?.();
  }

  onUpgrade(status: number, headers: HeaderFields, socket: Duplex, firstBytes: Uint8Array): void {
    this.status = status;
    this.headers = headers;
    this.switched = { socket, firstBytes };
    this.wake?.();
  }

  onFail(failure: Failure): void {
    this.failure = failure;
    this.wake?.();
  }

  /** The code of its failure; `null` while there is none. */
  code(): string | null {
    return this.failure?.code ?? null;
  }

  /** A head or a failure has come. */
  async come(): Promise<this> {
    if (this.status === 0 && this.failure === null) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this;
  }

  /** The body as text, to its end. */
  async text(): Promise<string> {
    await this.come();
    const { body } = this;
    if (body === null) return '';
    return Buffer.from(body instanceof IncomingBody ? await body.whole() : body).toString('latin1');
  }
}

/** A client connection, the server at its other end, and what its owner hears. */
export class ClientPair implements AsyncDisposable, ClientConnectionOwner {
  readonly pool = new Lifecycle();
  readonly connection: ClientConnection;
  readonly server: ScriptedConnection;
  freeCount = 0;
  closeReason: string | null = null;
  private readonly upstream: ScriptedUpstream;

  private constructor(
    upstream: ScriptedUpstream,
    server: ScriptedConnection,
    open: (owner: ClientConnectionOwner, pool: Lifecycle) => ClientConnection,
  ) {
    this.upstream = upstream;
    this.server = server;
    this.connection = open(this, this.pool);
  }

  static async open(limits: Partial<Http1ClientLimits> = {}): Promise<ClientPair> {
    const upstream = await ScriptedUpstream.listen();
    const source = new ReadBuffer();
    const socket = connect({ port: upstream.port, host: '127.0.0.1', noDelay: true, onread: source.onread });
    await once(socket, 'connect');
    const server = await upstream.connection();
    const settings = { ...HTTP1_CLIENT_DEFAULTS, ...limits };
    return new ClientPair(
      upstream,
      server,
      (owner, pool) => new Http1ClientConnection(socket, source, pool, owner, settings, false),
    );
  }

  onFree(): void {
    this.freeCount += 1;
  }

  onClose(_connection: ClientConnection, reason: string): void {
    this.closeReason = reason;
  }

  send(request: Partial<OutgoingRequest> = {}): Answer {
    const answer = new Answer();
    this.connection.send(
      {
        method: 'GET',
        target: '/',
        authority: 'example.com',
        headers: HeaderFields.EMPTY,
        body: null,
        expectContinue: false,
        upgrade: null,
        deadlineMs: null,
        trailers: () => (request.body instanceof IncomingBody ? request.body.trailers : null),
        ...request,
      },
      answer,
    );
    return answer;
  }

  /** The answer to a GET that the server answers with these bytes; `end` closes after them. */
  async exchange(bytes: string, request: Partial<OutgoingRequest> = {}, end = false): Promise<Answer> {
    const answer = this.send(request);
    await this.server.head();
    this.server.write(bytes);
    if (end) this.server.socket.end();
    return answer.come();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pool.close();
    await this.upstream[Symbol.asyncDispose]();
  }
}
