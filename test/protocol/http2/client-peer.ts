import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { IncomingBody } from '../../../src/core/body.ts';
import type { ClientConnection, ClientConnectionOwner, OutgoingRequest } from '../../../src/core/client.ts';
import { HeaderFields } from '../../../src/core/headers.ts';
import { Lifecycle } from '../../../src/core/lifecycle.ts';
import { Http2ClientConnection } from '../../../src/protocol/http2/client.ts';
import {
  HTTP2_CLIENT_DEFAULTS,
  HTTP2_CLIENT_OPTIONS,
  type Http2ClientLimits,
} from '../../../src/protocol/http2/client-limits.ts';
import type { SessionOptions } from '../../../src/protocol/http2/options.ts';
import { ReadBuffer } from '../../../src/upstream/read-buffer.ts';
import { type Field, frame, PREFACE, settings, TYPE } from '../../support/http2-frames.ts';
import { Http2Wire } from '../../support/http2-wire.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../upstream/scripted.ts';
import { Answer } from '../http1/client-peer.ts';

export interface PairOptions {
  readonly limits?: Partial<Http2ClientLimits>;
  readonly options?: Partial<SessionOptions>;
  /** What the server announces; `null`: it says nothing by itself. */
  readonly announced?: readonly (readonly [id: number, value: number])[] | null;
}

/** A client connection over TCP, and the server at its other end, which writes the frames that a test gives it. */
export class Http2Pair implements AsyncDisposable, ClientConnectionOwner {
  readonly pool = new Lifecycle();
  readonly clock = new ManualClock();
  readonly connection: Http2ClientConnection;
  freeCount = 0;
  closeReason: string | null = null;
  private readonly listener: Server;
  private wire: Http2Wire | null = null;

  private constructor(listener: Server, socket: Socket, source: ReadBuffer, given: PairOptions) {
    this.listener = listener;
    const how = {
      limits: { ...HTTP2_CLIENT_DEFAULTS, ...given.limits },
      options: { ...HTTP2_CLIENT_OPTIONS, ...given.options },
      clock: this.clock,
    };
    this.connection = new Http2ClientConnection(socket, source, this.pool, this, how, false);
  }

  static async open(given: PairOptions = {}): Promise<Http2Pair> {
    const listener = createServer({ noDelay: true, allowHalfOpen: true }).listen(0, '127.0.0.1');
    const accepting = Promise.withResolvers<Socket>();
    listener.once('connection', accepting.resolve);
    await once(listener, 'listening');
    const source = new ReadBuffer();
    const address = listener.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: source.onread });
    socket.once('close', () => source.close());
    const accepted = await accepting.promise;
    const pair = new Http2Pair(listener, socket, source, given);
    pair.wire = await afterPreface(accepted);
    const { announced = [] } = given;
    if (announced === null) return pair;
    pair.server.send(settings(announced), frame(TYPE.SETTINGS, 1, 0));
    await pair.server.frame(TYPE.SETTINGS, ({ flags }) => flags === 1);
    await until(() => pair.freeCount > 0);
    pair.freeCount = 0;
    return pair;
  }

  get server(): Http2Wire {
    assert.ok(this.wire);
    return this.wire;
  }

  onFree(): void {
    this.freeCount += 1;
  }

  onClose(_connection: ClientConnection, reason: string): void {
    this.closeReason = reason;
  }

  send(request: Partial<OutgoingRequest> = {}): Answer {
    const answer = new Answer();
    const { body } = request;
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
        trailers: () => (body instanceof IncomingBody ? body.trailers : null),
        ...request,
      },
      answer,
    );
    return answer;
  }

  /** Sends a request and waits until its head is at the server. */
  async asked(request: Partial<OutgoingRequest> = {}): Promise<Answer> {
    const answer = this.send(request);
    await this.server.frame(TYPE.HEADERS);
    return answer;
  }

  /** The answer to a request that the server answers with these bytes. */
  async exchange(request: Partial<OutgoingRequest>, ...bytes: readonly Uint8Array[]): Promise<Answer> {
    const answer = await this.asked(request);
    this.server.send(...bytes);
    return answer.come();
  }

  /** Lets time pass for the connection's deadlines. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 250) {
      this.clock.advance(Math.min(250, left));
      this.connection.sweep(this.clock.now());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pool.close();
    this.wire?.socket.destroy();
    this.listener.close();
    await once(this.listener, 'close');
  }
}

/** The server's side of a connection, once the client has begun it (RFC 9113 §3.4). */
async function afterPreface(socket: Socket): Promise<Http2Wire> {
  const first = await new Promise<Buffer>((resolve) => {
    socket.once('data', (chunk: Buffer) => {
      socket.pause();
      resolve(chunk);
    });
  });
  assert.deepEqual(first.subarray(0, PREFACE.length), PREFACE);
  const wire = new Http2Wire(socket);
  socket.unshift(first.subarray(PREFACE.length));
  socket.resume();
  return wire;
}

/** The code of the RST_STREAM that the client sends on a stream. */
export async function resetOf(server: Http2Wire, streamId: number): Promise<number> {
  const { payload } = await server.frame(TYPE.RST_STREAM, (received) => received.streamId === streamId);
  return payload.readUInt32BE(0);
}

export const status = (code: number, ...more: readonly Field[]): readonly Field[] => [
  [':status', String(code)],
  ...more,
];
