import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { DateValue } from '../../../src/core/clock.ts';
import type { Handler } from '../../../src/core/handler.ts';
import { Lifecycle } from '../../../src/core/lifecycle.ts';
import type { Connection, ConnectionWork } from '../../../src/core/runner.ts';
import { HTTP1_DEFAULTS } from '../../../src/protocol/http1/options.ts';
import { http1Runner } from '../../../src/protocol/http1/server.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';

/** A socket without a kernel: what is written is taken when the test says so. */
class HeldSocket extends Socket {
  writeCount = 0;
  private taken: (() => void) | null = null;

  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    this.writeCount += 1;
    this.taken = done;
  }

  override _read(): void {}

  /** Takes what was written, piece by piece, until nothing is left. */
  async empty(): Promise<void> {
    while (this.taken !== null) {
      const { taken } = this;
      this.taken = null;
      taken();
      await settle();
    }
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The engine on such a socket. */
function running(handler: Handler) {
  const clock = new ManualClock();
  const socket = new HeldSocket().on('error', () => undefined);
  let work: ConnectionWork | null = null;
  const connection: Connection = {
    id: 1,
    socket,
    peer: { address: '127.0.0.1', port: 1, secure: false, certificate: null },
    life: new Lifecycle(),
    service: {
      clock,
      date: new DateValue(clock),
      quietMs: 0,
      streamGraceMs: 0,
      limits: HTTP1_DEFAULTS,
      admit: () => ({ handler, end: () => undefined }),
    },
    activity: 'reading',
    reason: null,
    attend: (given) => {
      work = given;
    },
    unsentBytes: () => socket.writableLength,
    close: () => socket.destroy(),
    reset: (reason) => {
      connection.reason = reason;
      socket.destroy();
    },
  };
  http1Runner(HTTP1_DEFAULTS).run(connection);
  return { clock, socket, connection, sweep: () => work?.sweep(clock.now()) };
}

test('the synchronous answers to requests that came in one read leave in one write', async () => {
  const { socket } = running(({ method }) => ({ status: 200, body: method }));
  socket.emit('data', Buffer.from(GET.repeat(30)));
  await socket.empty();
  assert.equal(socket.writeCount, 1);
  socket.emit('data', Buffer.from(GET));
  await socket.empty();
  assert.equal(socket.writeCount, 2);
});

test('a stall is not remembered once everything was taken: the next one of the same size begins anew', async () => {
  let feed: (text: string) => void = () => undefined;
  const { socket, connection, clock, sweep } = running(() => ({
    status: 200,
    body: new ReadableStream<string>({
      start(controller) {
        feed = (text) => controller.enqueue(text);
      },
    }),
  }));
  socket.emit('data', Buffer.from(GET));
  await settle();
  await socket.empty();
  for (let piece = 0; piece < 3; piece += 1) {
    feed('same size');
    await settle();
    assert.ok(socket.writableLength > 0);
    sweep();
    assert.equal(connection.reason, null, `piece ${piece}`);
    await socket.empty();
    sweep();
    clock.advance(31_000);
  }
  feed('same size');
  await settle();
  sweep();
  clock.advance(30_000);
  sweep();
  assert.equal(connection.reason, 'write-stall');
  assert.ok(socket.destroyed);
});
