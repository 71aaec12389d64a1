import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import { eventually } from '../support/wire.ts';
import { opened } from './opened.ts';

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n';

/** An endless body that is told of the drain, and keeps what it is told. */
class Stream {
  readonly told: number[] = [];
  private push: (text: string | null) => void = () => undefined;

  readonly handler: Handler = ({ path }) => {
    if (path === '/plain') return new Promise(() => undefined);
    return { status: 200, body: this.body(), onDrain: ({ graceMs }) => this.told.push(graceMs) };
  };

  /** `null` ends it. */
  say(text: string | null): void {
    this.push(text);
  }

  private async *body(): AsyncGenerator<string, void, undefined> {
    yield 'begin\n';
    for (;;) {
      const text = await new Promise<string | null>((resolve) => {
        this.push = resolve;
      });
      if (text === null) return;
      yield text;
    }
  }
}

test('a stream is told of a drain with what is left of its own grace, and may say goodbye', async (t) => {
  const stream = new Stream();
  const drain = { graceMs: 100, streamGraceMs: 5000 };
  const { server, clock, wire: open, reaches } = await opened(t, stream.handler, { drain });
  const wire = (await open()).write(`${GET}\r\n`);
  await wire.until('begin');
  assert.equal(server.status().connections.stream, 1);
  const drained = server.drain();
  await reaches('finish');
  assert.deepEqual(stream.told, [5000]);
  clock.advance(1000);
  assert.equal(server.status().connections.stream, 1, 'the grace of requests is not that of streams');
  stream.say('goodbye\n');
  await wire.until('goodbye');
  stream.say(null);
  await wire.until('0\r\n\r\n');
  clock.advance(1000);
  wire.socket.end();
  assert.equal((await drained).outcome, 'clean');
});

test('what is not a stream is cut off at the end of the grace; a stream at the end of its own', async (t) => {
  const stream = new Stream();
  const drain = { graceMs: 100, streamGraceMs: 5000, quietMs: 0 };
  const { server, clock, wire: open, reaches } = await opened(t, stream.handler, { drain });
  const wire = (await open()).write(`${GET}\r\n`);
  await wire.until('begin');
  const plain = (await open()).write('GET /plain HTTP/1.1\r\nhost: a\r\n\r\n');
  await eventually(() => server.status().connections['in-flight'] === 1);
  const drained = server.drain();
  await reaches('finish');
  clock.advance(100);
  await plain.closed();
  assert.equal(server.status().drain, 'force');
  assert.equal(wire.ended, null);
  clock.advance(4900);
  const report = await drained;
  assert.equal(await wire.closed(), 'reset');
  assert.deepEqual(
    report.forced.map(({ activity, target }) => [activity, target]),
    [
      ['in-flight', '/plain'],
      ['stream', '/'],
    ],
  );
});

test('a shorter grace of streams ends them first; shutdown shortens both', async (t) => {
  const stream = new Stream();
  const drain = { graceMs: 5000, streamGraceMs: 100, quietMs: 0 };
  const { server, clock, wire: open, reaches } = await opened(t, stream.handler, { drain });
  const wire = (await open()).write(`${GET}\r\n`);
  await wire.until('begin');
  const plain = (await open()).write('GET /plain HTTP/1.1\r\nhost: a\r\n\r\n');
  await eventually(() => server.status().connections['in-flight'] === 1);
  const drained = server.drain();
  await reaches('finish');
  clock.advance(100);
  assert.equal(await wire.closed(), 'reset');
  assert.equal(plain.ended, null);
  void server.shutdown({ graceMs: 200 });
  clock.advance(200);
  assert.equal((await drained).forced.length, 2);
});

test('a stream that begins while a drain is under way is told at once', async (t) => {
  const stream = new Stream();
  const drain = { graceMs: 100, streamGraceMs: 5000 };
  const { server, clock, wire: open, reaches } = await opened(t, stream.handler, { drain });
  const wire = await open();
  await wire.segment(GET);
  await eventually(() => server.status().connections.reading === 1);
  const drained = server.drain();
  await reaches('finish');
  wire.write('\r\n');
  await wire.until('begin');
  assert.deepEqual(stream.told, [5000]);
  clock.advance(5000);
  assert.equal((await drained).outcome, 'forced');
});

test('without a grace of their own streams have that of requests', async (t) => {
  const stream = new Stream();
  const { server, clock, wire: open, reaches } = await opened(t, stream.handler, { drain: { graceMs: 300 } });
  const wire = (await open()).write(`${GET}\r\n`);
  await wire.until('begin');
  const drained = server.drain();
  await reaches('finish');
  assert.deepEqual(stream.told, [300]);
  clock.advance(300);
  assert.equal((await drained).outcome, 'forced');
});
