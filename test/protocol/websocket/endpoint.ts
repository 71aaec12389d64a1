import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { WebSocketOptions } from '../../../src/protocol/websocket/options.ts';
import { type WebSocketHandler, websocket } from '../../../src/protocol/websocket/server.ts';
import { Served } from '../../conformance/served.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import type { Wire, WireResponse } from '../../support/wire.ts';
import { CLOSE, codeOf, type Frame, frame, parseFrame } from './frames.ts';

/** The key and answer of RFC 6455 §1.3. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

/** The fields of a handshake; those given replace the usual ones, and `null` leaves one out. */
export function handshake(fields: Readonly<Record<string, string | null>> = {}, line = 'GET /chat HTTP/1.1'): string {
  const all = {
    host: 'server.example.com',
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-key': KEY,
    'sec-websocket-version': '13',
    ...fields,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}\r\n`]));
  return `${line}\r\n${lines.join('')}\r\n`;
}

/** Sends messages back as they came. */
export const echo: WebSocketHandler = (socket) => {
  socket.onMessage((message) => (socket.send(message) ? undefined : socket.ready()));
};

/** A client that writes bytes and reads frames. */
export class Peer {
  readonly wire: Wire;

  constructor(wire: Wire) {
    this.wire = wire;
  }

  send(...frames: readonly Uint8Array[]): this {
    this.wire.write(Buffer.concat(frames));
    return this;
  }

  /** The next frame, which must not be masked (RFC 6455 §5.1). */
  async frame(): Promise<Frame> {
    const bytes = await this.wire.until((unread) => parseFrame(Buffer.from(unread, 'latin1')) !== null);
    const found = parseFrame(Buffer.from(bytes, 'latin1'));
    assert.ok(found !== null);
    this.wire.unread = bytes.slice(found.end) + this.wire.unread;
    assert.equal(found.frame.masked, false);
    return found.frame;
  }

  /** The next message, which must be one frame: its text, or its bytes. */
  async message(): Promise<string | Buffer> {
    const { fin, rsv, opcode, payload } = await this.frame();
    assert.deepEqual([fin, rsv], [true, 0]);
    assert.ok(opcode === 1 || opcode === 2);
    return opcode === 1 ? payload.toString() : payload;
  }

  /** The code of the Close that comes next. */
  async closeCode(): Promise<number> {
    const close = await this.frame();
    assert.equal(
      close.opcode,
      CLOSE,
      `not a Close but ${close.opcode}: ${close.payload.toString('latin1').slice(0, 100)}`,
    );
    return codeOf(close);
  }

  /** Closes as one does, and sees the server do its part: Close, then the end of the connection (RFC 6455 §7.1.1). */
  async leave(): Promise<void> {
    this.send(frame(CLOSE, Buffer.from([0x03, 0xe8])));
    assert.equal(await this.closeCode(), 1000);
    await this.hangUp();
  }

  /** Waits for the server to end the connection, then ends its own side. */
  async hangUp(): Promise<void> {
    await this.wire.closed();
    this.wire.socket.end();
  }
}

/** A server with one WebSocket endpoint, on clocks that stand still. */
export class Endpoint {
  readonly served: Served;
  readonly clock: ManualClock;

  private constructor(served: Served, clock: ManualClock) {
    this.served = served;
    this.clock = clock;
  }

  static async start(
    t: TestContext,
    handler: WebSocketHandler = echo,
    options: Partial<WebSocketOptions> = {},
  ): Promise<Endpoint> {
    const clock = new ManualClock();
    return new Endpoint(await Served.start(t, websocket(handler, { clock, ...options })), clock);
  }

  /** The answer to a handshake. */
  async answer(bytes: string): Promise<WireResponse> {
    return (await this.served.send(bytes)).response();
  }

  /** A client whose WebSocket is open. `frames` are sent along with the handshake. */
  async open(fields: Readonly<Record<string, string | null>> = {}, ...frames: readonly Uint8Array[]): Promise<Peer> {
    const wire = await this.served.open();
    wire.write(Buffer.concat([Buffer.from(handshake(fields), 'latin1'), ...frames]));
    const { status } = await wire.response();
    assert.equal(status, 101);
    return new Peer(wire);
  }
}
