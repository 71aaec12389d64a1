import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { DateValue } from '../../../src/core/clock.ts';
import { Lifecycle } from '../../../src/core/lifecycle.ts';
import type { Connection, ConnectionWork } from '../../../src/core/runner.ts';
import { HTTP1_DEFAULTS } from '../../../src/protocol/http1/options.ts';
import { http1Runner } from '../../../src/protocol/http1/server.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** A socket without a kernel: what is written is taken when the test says so. */
class HeldSocket extends Socket {
  private taken: (() => void) | null = null;

  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    this.taken = done;
  }

  override _read(): void {}

  empty(): void {
    const { taken } = this;
    this.taken = null;
    taken?.();
  }
}

test('a stall is not remembered once everything was taken: the next one of the same size begins anew', async () => {
  const clock = new ManualClock();
  const socket = new HeldSocket().on('error', () => undefined);
  let feed: (text: string) => void = () => undefined;
  const works: ConnectionWork[] = [];
  const connection: Connection = {
    id: 1,
    socket,
    peer: { address: '127.0.0.1', port: 1, secure: false },
    life: new Lifecycle(),
    service: {
      clock,
      date: new DateValue(clock),
      quietMs: 0,
      admit: () => ({
        handler: () => ({
          status: 200,
          body: new ReadableStream<string>({
            start(controller) {
              feed = (text) => controller.enqueue(text);
            },
          }),
        }),
        end: () => undefined,
      }),
    },
    activity: 'reading',
    reason: null,
    attend: (work) => void works.push(work),
    unsentBytes: () => socket.writableLength,
    close: () => socket.destroy(),
  };
  http1Runner(HTTP1_DEFAULTS).run(connection);
  socket.emit('data', Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n'));
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const sweep = (): void => works[0]?.sweep(clock.now());
  await settle();
  socket.empty();
  await settle();
  for (let piece = 0; piece < 3; piece += 1) {
    feed('same size');
    await settle();
    assert.ok(socket.writableLength > 0);
    sweep();
    assert.equal(connection.reason, null, `piece ${piece}`);
    socket.empty();
    await settle();
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
