import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEvent } from '../../src/core/events.ts';
import { Failure } from '../../src/core/failure.ts';
import type { Handler } from '../../src/core/handler.ts';
import { eventually, turns } from '../support/wire.ts';
import { GET, POST, Served } from './served.ts';

const ok: Handler = async (request) => ({ status: 200, body: await request.text() });

test('a head that takes too long is 408: a drip does not restart the time (RFC 9110 §15.5.9)', async (t) => {
  const served = await Served.start(t, ok, { dataRateMinBytesPerSec: null });
  const wire = await served.open();
  await wire.segment('GET / HTTP/1.1\r\nhost: a\r\nx: ');
  await turns(5);
  for (let second = 0; second < 29; second += 1) {
    await served.pass(1000);
    await wire.segment('y');
  }
  assert.equal(wire.unread, '');
  await served.pass(1250);
  const response = await wire.response();
  assert.deepEqual([response.status, response.get('connection')], [408, 'close']);
  assert.equal(await wire.rest(), '');
  wire.socket.destroy();
  await served.closedFor('request-timeout');
});

test('the time of a head begins with its first byte, not with the connection', async (t) => {
  const served = await Served.start(t, ok, { dataRateMinBytesPerSec: null });
  const wire = await served.open();
  await served.doing('reading');
  await served.pass(29_000);
  await wire.segment('GET / HT');
  await turns(5);
  await served.pass(29_000);
  wire.write('TP/1.1\r\nhost: a\r\n\r\n');
  assert.equal((await wire.response()).status, 200);
});

test('a head below the least rate is 408 after three seconds', async (t) => {
  const served = await Served.start(t, ok);
  const wire = await served.open();
  await wire.segment('GET / HTTP/1.1\r\nx: ');
  for (let step = 0; step < 16; step += 1) {
    await wire.segment('y');
    await served.pass(250);
  }
  assert.equal((await wire.response()).status, 408);
  await wire.closed();
});

test('a head at the least rate is served, however long it takes', async (t) => {
  const served = await Served.start(t, ok);
  const wire = await served.open();
  await wire.segment('GET / HTTP/1.1\r\nhost: a\r\nx: ');
  for (let step = 0; step < 80; step += 1) {
    await wire.segment('y'.repeat(30));
    await served.pass(250);
  }
  wire.write('\r\n\r\n');
  assert.equal((await wire.response()).status, 200);
});

test('a body below the least rate is 408, and its reader is told', async (t) => {
  for (const body of ['auto', 'manual'] as const) {
    const codes: unknown[] = [];
    const read: Handler = async (request) => {
      const text = await request.text().catch((error: unknown) => {
        codes.push(error instanceof Failure ? error.code : error);
        throw error;
      });
      return { status: 200, body: text };
    };
    const served = await Served.start(t, read, {}, { body });
    const wire = await served.send(`${POST}content-length: 1000\r\n\r\n`);
    await served.doing('in-flight');
    for (let step = 0; step < 16; step += 1) {
      await wire.segment('z');
      await served.pass(250);
    }
    const response = await wire.response();
    assert.deepEqual([response.status, response.get('connection')], [408, 'close']);
    assert.equal(await wire.rest(), '');
    assert.deepEqual(codes, body === 'manual' ? ['body-timeout'] : []);
  }
});

test('a body that was fast does not excuse a stall, and one that goes on is not cut off', async (t) => {
  const served = await Served.start(t, ok);
  const wire = await served.send(`${POST}content-length: 100000\r\n\r\n${'x'.repeat(50_000)}`);
  await served.doing('in-flight');
  for (let step = 0; step < 40; step += 1) {
    await wire.segment('x'.repeat(100));
    await served.pass(500);
  }
  assert.equal(wire.unread, '');
  await served.pass(12_000);
  assert.equal((await wire.response()).status, 408);
});

test('time in which the handler does not read is not the client’s', async (t) => {
  const gate = Promise.withResolvers<void>();
  const served = await Served.start(
    t,
    async (request) => {
      await gate.promise;
      return { status: 200, body: String((await request.bytes()).length) };
    },
    {},
    { body: 'manual' },
  );
  const wire = await served.send(`${POST}content-length: 500000\r\n\r\n${'x'.repeat(250_000)}`);
  await served.doing('in-flight');
  await served.pass(60_000);
  gate.resolve();
  await turns(10);
  wire.write('x'.repeat(250_000));
  assert.equal((await wire.response()).body, '500000');
});

test('nor is time in which a handler that has begun to read is slow', async (t) => {
  const gate = Promise.withResolvers<void>();
  let readBytes = 0;
  const served = await Served.start(
    t,
    async (request) => {
      for await (const chunk of request) {
        readBytes += chunk.length;
        await gate.promise;
      }
      return { status: 200, body: String(readBytes) };
    },
    {},
    { body: 'manual' },
  );
  const wire = await served.send(`${POST}content-length: 500\r\n\r\n`);
  await served.doing('in-flight');
  wire.write('x'.repeat(250));
  await eventually(() => readBytes > 0);
  await served.pass(60_000);
  gate.resolve();
  await served.pass(500);
  wire.write('x'.repeat(250));
  assert.equal((await wire.response()).body, '500');
});

test('an idle connection is closed without a word, before its first request and between two (RFC 9112 §9.5)', async (t) => {
  const served = await Served.start(t, ok);
  const silent = await served.open();
  const used = await served.send(`${GET}\r\n`);
  await used.response();
  await served.doing('reading');
  await served.pass(59_000);
  assert.equal(silent.ended, null);
  assert.equal(used.ended, null);
  await served.pass(1250);
  assert.equal(await silent.rest(), '');
  assert.equal(await used.rest(), '');
  silent.socket.destroy();
  used.socket.destroy();
  await served.closedFor('idle-timeout');
});

test('a request starts the idle time anew', async (t) => {
  const served = await Served.start(t, ok);
  const wire = await served.open();
  for (let count = 0; count < 3; count += 1) {
    wire.write(`${GET}\r\n`);
    await wire.response();
    await served.pass(40_000);
  }
  assert.equal(wire.ended, null);
});

test('timeouts that are off never pass', async (t) => {
  const served = await Served.start(t, ok, { headTimeoutMs: null, idleTimeoutMs: null, dataRateMinBytesPerSec: null });
  const silent = await served.open();
  const slow = await served.send('GET / HT');
  await served.doing('reading', 2);
  await served.pass(100_000);
  slow.write('TP/1.1\r\nhost: a\r\n\r\n');
  silent.write(`${GET}\r\n`);
  assert.equal((await slow.response()).status, 200);
  assert.equal((await silent.response()).status, 200);
});

test('a client that takes no byte of its answer is cut off', async (t) => {
  const served = await Served.start(t, () => ({ status: 200, body: Buffer.alloc(20_000_000) }));
  for (const lines of ['', 'connection: close\r\n']) {
    const wire = await served.open();
    wire.socket.pause();
    wire.write(`${GET}${lines}\r\n`);
    await eventually(() => served.server.status().requests.served > 0);
    await turns(20);
    await served.pass(29_000);
    assert.equal(served.server.status().connections.total, 1);
    await served.pass(2000);
    await served.closedFor('write-stall');
    assert.equal(served.server.status().connections.total, 0);
    wire.socket.destroy();
  }
  assert.equal(served.server.status().listeners[0]?.closed['write-stall'], 2);
});

test('a client that takes its answer slowly is not cut off, neither before nor after the last byte is written', async (t) => {
  const size = 12_000_000;
  const served = await Served.start(t, () => ({ status: 200, body: Buffer.alloc(size) }));
  for (const lines of ['', 'connection: close\r\n']) {
    const wire = await served.open();
    wire.socket.pause();
    wire.write(`${GET}${lines}\r\n`);
    await eventually(() => served.server.status().requests.served > 0);
    for (let step = 1; step < 6; step += 1) {
      wire.socket.resume();
      await eventually(() => wire.receivedBytes > step * 2_000_000 || wire.ended !== null);
      wire.socket.pause();
      await served.pass(10_000);
    }
    wire.socket.resume();
    assert.equal((await wire.response()).body.length, size);
    wire.socket.destroy();
    await served.empty();
  }
});

test('a handler that takes too long is 504: its signal aborts and its reads reject', async (t) => {
  const told: string[] = [];
  const note = (what: string) => (error: unknown) => {
    told.push(`${what} ${error instanceof Failure ? error.code : String(error)}`);
  };
  const late = Promise.withResolvers<void>();
  const served = await Served.start(
    t,
    async (request) => {
      request.onAbort(note('listener'));
      request.signal.addEventListener('abort', () => note('signal')(request.signal.reason));
      await request.text().catch(note('read'));
      await late.promise;
      return { status: 200, body: 'too late' };
    },
    { handlerTimeoutMs: 1000 },
    { body: 'manual' },
  );
  const wire = await served.send(`${POST}content-length: 10\r\n\r\nhello`);
  await served.doing('in-flight');
  await served.pass(1250);
  const response = await wire.response();
  assert.equal(response.status, 504);
  assert.deepEqual(told.sort(), ['listener handler-timeout', 'read handler-timeout', 'signal handler-timeout']);
  late.resolve();
  await turns(5);
  wire.write(`world${POST}content-length: 0\r\n\r\n`);
  assert.equal((await wire.response()).body, 'too late');
  assert.equal(wire.unread, '');
});

test('an answer that has begun is not cut off by the handler’s time', async (t) => {
  const gate = Promise.withResolvers<void>();
  const served = await Served.start(
    t,
    () => ({
      status: 200,
      body: (async function* () {
        yield 'a';
        await gate.promise;
        yield 'b';
      })(),
    }),
    { handlerTimeoutMs: 1000 },
  );
  const wire = await served.send(`${GET}\r\n`);
  await wire.until('a');
  await served.pass(5000);
  gate.resolve();
  assert.match(await wire.until('0\r\n\r\n'), /b/);
});

test('what is left of a body after an early answer must come at the least rate, too', async (t) => {
  const served = await Served.start(t, () => ({ status: 200 }), {}, { body: 'manual' });
  const wire = await served.send(`${POST}content-length: 100000\r\n\r\nhello`);
  assert.equal((await wire.response()).get('connection'), null);
  await served.pass(5000);
  assert.equal(await wire.rest(), '');
});

test('the bytes that came first count too: a burst may be followed by a pause that its rate allows', async (t) => {
  const served = await Served.start(t, ok, { dataRateMinBytesPerSec: 100 });
  const head = await served.send(`${GET}x: ${'y'.repeat(1400)}`);
  const body = await served.send(`${POST}content-length: 1500\r\n\r\n${'z'.repeat(1400)}`);
  await served.doing('reading');
  await served.doing('in-flight');
  await served.pass(8000);
  head.write('\r\n\r\n');
  body.write('z'.repeat(100));
  assert.equal((await head.response()).status, 200);
  assert.equal((await body.response()).status, 200);
});

test('what is refused is told with its code, by whom it was sent and how it was answered', async (t) => {
  const told: unknown[] = [];
  t.after(onEvent('request:refuse', ({ code, peer, status }) => told.push({ code, peer, status })));
  const served = await Served.start(t, ok);
  const wire = await served.send('GET / HTTP/1.1\r\nbad name: 1\r\n\r\n');
  assert.equal((await wire.response()).status, 400);
  assert.deepEqual(told, [{ code: 'header-invalid', peer: '127.0.0.1', status: 400 }]);
});
