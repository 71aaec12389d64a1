import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpResponse } from '../../src/core/message.ts';
import { Http2Served } from '../conformance/http2/verdict.ts';
import {
  CODE,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  headers,
  POST,
  PREFACE,
  request,
  settings,
  TYPE,
  windowUpdate,
} from '../support/http2-frames.ts';
import type { Http2Wire } from '../support/http2-wire.ts';
import { eventually, turns } from '../support/wire.ts';
import { Waiting } from './opened.ts';

const LARGEST = 2 ** 31 - 1;

/** The next GOAWAY, as its last stream and code. */
async function goaway(wire: Http2Wire): Promise<readonly [lastStreamId: number, code: number]> {
  const { payload } = await wire.frame(TYPE.GOAWAY);
  return [payload.readUInt32BE(0), payload.readUInt32BE(4)];
}

/** Takes the PING of the server and acknowledges it. */
async function acknowledge(wire: Http2Wire): Promise<void> {
  const { payload } = await wire.frame(TYPE.PING, ({ flags }) => flags === 0);
  wire.send(frame(TYPE.PING, 1, 0, payload));
}

async function finishing(on: Http2Served): Promise<void> {
  await eventually(() => on.served.server.status().drain === 'finish', 'the stage finish');
}

test('a drain says GOAWAY twice: with 2³¹−1 and a PING, then with the last stream that was taken (RFC 9113 §6.8)', async (t) => {
  const waiting = new Waiting();
  const on = await Http2Served.start(t, waiting.handler);
  const wire = await on.open();
  wire.send(headers(1, GET));
  await waiting.has(1);
  const report = on.served.server.drain();
  assert.deepEqual(await goaway(wire), [LARGEST, CODE.NO_ERROR]);
  // Begun before the client had read it: answered like any other.
  wire.send(headers(3, GET));
  await waiting.has(2);
  await acknowledge(wire);
  assert.deepEqual(await goaway(wire), [3, CODE.NO_ERROR]);
  // Begun later: not taken, and nothing on it is an error; the client may send it elsewhere.
  wire.send(
    headers(5, POST, END_HEADERS),
    data(5, 'x', 0),
    windowUpdate(5, 10),
    frame(TYPE.RST_STREAM, 0, 5, '\0\0\0\x08'),
  );
  await wire.settled();
  assert.equal(waiting.requests.length, 2);
  waiting.answer({ status: 200, body: 'first' });
  assert.equal((await wire.response(1)).body, 'first');
  waiting.answer({ status: 200, body: 'second' });
  assert.equal((await wire.response(3)).body, 'second');
  assert.equal(await wire.closed(), 'fin');
  wire.socket.end();
  const { outcome, finishedCount, closed, mayHaveLostCount } = await report;
  assert.deepEqual([outcome, finishedCount, closed, mayHaveLostCount], ['clean', 2, { 'drained-answered': 1 }, 0]);
});

test('a client that does not acknowledge the PING gets the second GOAWAY after a second', async (t) => {
  const waiting = new Waiting();
  const on = await Http2Served.start(t, waiting.handler);
  const wire = await on.open();
  wire.send(headers(1, GET));
  await waiting.has(1);
  const report = on.served.server.drain();
  assert.deepEqual(await goaway(wire), [LARGEST, CODE.NO_ERROR]);
  await finishing(on);
  await on.served.pass(750);
  wire.send(headers(3, GET));
  await waiting.has(2);
  await on.served.pass(250);
  assert.deepEqual(await goaway(wire), [3, CODE.NO_ERROR]);
  waiting.answer();
  waiting.answer();
  await wire.response(1);
  await wire.response(3);
  wire.socket.end();
  assert.equal((await report).finishedCount, 2);
});

test('an idle connection closes without an error as soon as its client has read the first GOAWAY', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open();
  await wire.send(headers(1, GET)).response(1);
  const report = on.served.server.drain();
  assert.deepEqual(await goaway(wire), [LARGEST, CODE.NO_ERROR]);
  await acknowledge(wire);
  assert.deepEqual(await goaway(wire), [1, CODE.NO_ERROR]);
  assert.equal(await wire.closed(), 'fin');
  wire.socket.end();
  assert.deepEqual((await report).closed, { 'drained-idle': 1 });
});

test('a request that an idle connection sends when the drain has begun is answered', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open();
  await wire.send(headers(1, GET)).response(1);
  const report = on.served.server.drain();
  await goaway(wire);
  wire.send(headers(3, GET));
  assert.equal((await wire.response(3)).body, 'hello');
  await acknowledge(wire);
  assert.equal(await wire.closed(), 'fin');
  wire.socket.end();
  const { closed, finishedCount } = await report;
  assert.deepEqual([closed, finishedCount], [{ 'drained-answered': 1 }, 1]);
});

test('a client that has asked for nothing yet is told to go once it has, or when the quiet window is over', async (t) => {
  const on = await Http2Served.start(t);
  const [asking, silent] = [await on.open(), await on.open()];
  const report = on.served.server.drain({ quietMs: 1000 });
  await finishing(on);
  await on.served.pass(500);
  for (const wire of [asking, silent]) {
    await wire.settled();
    assert.deepEqual(wire.unread, [], 'nothing that would make it drop what it has not sent yet');
  }
  asking.send(headers(1, GET), headers(3, GET));
  assert.deepEqual(await goaway(asking), [LARGEST, CODE.NO_ERROR]);
  await acknowledge(asking);
  assert.deepEqual(await goaway(asking), [3, CODE.NO_ERROR]);
  await on.served.pass(500);
  assert.deepEqual(await goaway(silent), [LARGEST, CODE.NO_ERROR]);
  await acknowledge(silent);
  for (const wire of [asking, silent]) {
    assert.equal(await wire.closed(), 'fin');
    wire.socket.end();
  }
  assert.deepEqual((await report).closed, { 'drained-answered': 1, 'drained-idle': 1 });
});

test('half a header block when a drain begins is a request: it is answered, however its client is slow', async (t) => {
  const on = await Http2Served.start(t);
  const halves = [
    [headers(1, GET.slice(0, 2), END_STREAM), continuation(1, GET.slice(2))],
    [headers(1, GET).subarray(0, 20), headers(1, GET).subarray(20)],
  ] as const;
  const wires: Http2Wire[] = [];
  for (const [half] of halves) {
    const wire = await on.open();
    wire.send(half);
    wires.push(wire);
  }
  await turns(10);
  const report = on.served.server.drain();
  await finishing(on);
  await on.served.pass(3000);
  for (const [index, wire] of wires.entries()) {
    wire.send(halves[index]?.[1] ?? Buffer.alloc(0));
    assert.equal((await wire.response(1)).body, 'hello');
    await on.served.pass(1000);
    assert.equal(await wire.closed(), 'fin');
    wire.socket.end();
  }
  assert.deepEqual((await report).closed, { 'drained-answered': 2 });
});

test('an upload that is under way is read to its end', async (t) => {
  const on = await Http2Served.start(t, async (received) => ({ status: 200, body: await received.text() }));
  const wire = await on.open();
  wire.send(headers(1, POST, END_HEADERS), data(1, 'one ', 0));
  await on.served.doing('in-flight');
  const report = on.served.server.drain();
  await acknowledge(wire);
  assert.deepEqual(await goaway(wire), [1, CODE.NO_ERROR]);
  wire.send(data(1, 'two'));
  assert.equal((await wire.response(1)).body, 'one two');
  wire.socket.end();
  assert.equal((await report).outcome, 'clean');
});

test('at the end of the grace every stream is reset, the connection closes, and the report says so', async (t) => {
  const aborted: string[] = [];
  const on = await Http2Served.start(t, (received) => {
    received.onAbort(({ code }) => aborted.push(code));
    return new Promise(() => undefined);
  });
  const wire = await on.open();
  wire.send(headers(1, GET), headers(3, request({ ':path': '/slow' })));
  await on.served.doing('in-flight');
  const report = on.served.server.drain({ graceMs: 5000 });
  await finishing(on);
  on.served.clock.advance(5000);
  for (const id of [1, 3]) assert.equal((await wire.response(id)).reset, CODE.CANCEL);
  await wire.closed();
  const { outcome, finishedCount, closed, mayHaveLostCount, forced } = await report;
  assert.deepEqual([outcome, finishedCount, closed, mayHaveLostCount], ['forced', 0, { 'drain-forced': 1 }, 1]);
  assert.deepEqual(
    forced.map(({ activity, method, target }) => [activity, method, target]),
    [
      ['in-flight', 'GET', '/'],
      ['in-flight', 'GET', '/slow'],
    ],
  );
  assert.deepEqual(aborted, ['server-draining', 'server-draining']);
});

test('a handler that heeds its signal still answers at the end of the grace', async (t) => {
  const on = await Http2Served.start(
    t,
    (received) =>
      new Promise<HttpResponse>((resolve) => {
        received.onAbort(() => resolve({ status: 503, body: 'sorry' }));
      }),
  );
  const wire = await on.open();
  wire.send(headers(1, GET));
  await on.served.doing('in-flight');
  const report = on.served.server.drain({ graceMs: 5000 });
  await finishing(on);
  on.served.clock.advance(5000);
  assert.deepEqual([(await wire.response(1)).status], [503]);
  await wire.closed();
  wire.socket.end();
  assert.equal((await report).finishedCount, 1);
});

/** A handler whose answers to /stream go on until they are told of a drain, or for ever. */
function streaming(goodbye: boolean) {
  const told: number[] = [];
  const handler = ({ target }: { target: string }): HttpResponse => {
    if (target !== '/stream') return { status: 200, body: 'hello' };
    let say: ((word: string) => void) | null = null;
    async function* body(): AsyncGenerator<string> {
      yield 'begun;';
      yield await new Promise<string>((resolve) => {
        say = resolve;
      });
    }
    return {
      status: 200,
      body: body(),
      onDrain: ({ graceMs }) => {
        told.push(graceMs);
        if (goodbye) say?.('bye');
      },
    };
  };
  return { told, handler };
}

const STREAM = request({ ':path': '/stream' });

test('a long-lived stream is told of the drain, and may say goodbye', async (t) => {
  const { told, handler } = streaming(true);
  const on = await Http2Served.start(t, handler);
  const wire = await on.open();
  wire.send(headers(1, STREAM));
  await wire.frame(TYPE.DATA);
  await on.served.doing('stream');
  const report = on.served.server.drain({ graceMs: 5000, streamGraceMs: 9000 });
  assert.equal((await wire.response(1)).body, 'bye');
  assert.deepEqual(told, [9000]);
  await acknowledge(wire).catch(() => undefined);
  wire.socket.end();
  assert.equal((await report).outcome, 'clean');
});

test('streams have a grace of their own: requests beside them are cut off sooner, on the same connection', async (t) => {
  const { handler } = streaming(false);
  const on = await Http2Served.start(t, (received) =>
    received.target === '/never' ? new Promise(() => undefined) : handler(received),
  );
  const wire = await on.open();
  wire.send(headers(1, STREAM), headers(3, request({ ':path': '/never' })));
  await wire.frame(TYPE.DATA);
  await on.served.doing('in-flight');
  const report = on.served.server.drain({ graceMs: 5000, streamGraceMs: 9000 });
  await finishing(on);
  on.served.clock.advance(5000);
  assert.equal((await wire.response(3)).reset, CODE.CANCEL);
  assert.equal(wire.ended, null);
  await on.served.doing('stream');
  on.served.clock.advance(4000);
  assert.equal((await wire.response(1)).reset, CODE.CANCEL);
  await wire.closed();
  const { outcome, finishedCount, closed, forced } = await report;
  assert.deepEqual([outcome, finishedCount, closed], ['forced', 0, { 'drain-forced': 1 }]);
  assert.deepEqual(
    forced.map(({ activity, target, ageMs }) => [activity, target, ageMs]),
    [
      ['in-flight', '/never', 5000],
      ['stream', '/stream', 9000],
    ],
  );
});

test('a stream that is cut off is forced, though a request beside it is finished', async (t) => {
  const { handler } = streaming(false);
  const waiting = new Waiting();
  const on = await Http2Served.start(t, (received) =>
    received.target === '/slow' ? waiting.handler(received) : handler(received),
  );
  const wire = await on.open();
  wire.send(headers(1, request({ ':path': '/slow' })), headers(3, STREAM));
  await wire.frame(TYPE.DATA);
  const report = on.served.server.drain({ graceMs: 9000, streamGraceMs: 500 });
  await finishing(on);
  on.served.clock.advance(500);
  assert.equal((await wire.response(3)).reset, CODE.CANCEL);
  waiting.answer({ status: 200, body: 'finished' });
  assert.equal((await wire.response(1)).body, 'finished');
  await on.served.pass(1000);
  wire.socket.end();
  const { outcome, finishedCount, forced, mayHaveLostCount } = await report;
  assert.deepEqual([outcome, finishedCount, mayHaveLostCount], ['forced', 1, 1]);
  assert.deepEqual(
    forced.map(({ activity, method, target }) => [activity, method, target]),
    [['stream', 'GET', '/stream']],
  );
});

test('a request that begins in the very turn in which its grace ends is cut off, and the report names it', async (t) => {
  const waiting = new Waiting();
  const on = await Http2Served.start(t, (received) => {
    // Nobody knows sooner that the grace is over than who is aborted.
    received.onAbort(() => wire.send(headers(3, request({ ':path': '/late' }))));
    return waiting.handler(received);
  });
  const wire = await on.open();
  wire.send(headers(1, GET));
  await waiting.has(1);
  const report = on.served.server.drain({ graceMs: 5000 });
  await finishing(on);
  // From here sockets are read once before the cut.
  await turns(1);
  on.served.clock.advance(5000);
  await wire.closed();
  const { forced, finishedCount } = await report;
  assert.equal(waiting.requests.length, 2);
  assert.deepEqual([forced.map(({ target }) => target), finishedCount], [['/', '/late'], 0]);
});

test('a tunnel is cut off at the end of its grace, and the report names it but counts no request', async (t) => {
  const gone: string[] = [];
  const on = await Http2Served.start(t, () => ({
    status: 101,
    takeover: (socket) => void socket.on('error', (error) => gone.push(error.message)).resume(),
  }));
  const wire = await on.open();
  wire.send(headers(1, request({ ':method': 'CONNECT', ':protocol': 'echo' }), END_HEADERS));
  await on.served.doing('stream');
  const report = on.served.server.drain({ graceMs: 5000 });
  await finishing(on);
  on.served.clock.advance(5000);
  assert.equal((await wire.response(1)).reset, CODE.CANCEL);
  await wire.closed();
  const { outcome, closed, mayHaveLostCount, forced } = await report;
  assert.deepEqual([outcome, closed, mayHaveLostCount], ['forced', { 'drain-forced': 1 }, 1]);
  assert.deepEqual(
    forced.map(({ activity, target }) => [activity, target]),
    [['stream', '/']],
  );
  assert.deepEqual(gone, ['the stream was reset']);
});

test('an onDrain that throws harms neither its stream nor the drain', async (t) => {
  async function* body(): AsyncGenerator<string> {
    yield 'one';
    await turns(30);
    yield 'two';
  }
  const onDrain = (): never => {
    throw new Error('on purpose');
  };
  const on = await Http2Served.start(t, () => ({ status: 200, body: body(), onDrain }));
  const wire = await on.open();
  wire.send(headers(1, GET));
  await wire.frame(TYPE.DATA);
  const report = on.served.server.drain();
  assert.equal((await wire.response(1)).body, 'two');
  await on.served.pass(2000);
  wire.socket.end();
  assert.equal((await report).outcome, 'clean');
});

test('a connection that is accepted while the server drains is served, and told to go', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.connect();
  await on.served.doing('reading');
  const report = on.served.server.drain();
  await finishing(on);
  wire.send(PREFACE, settings(), headers(1, GET));
  assert.equal((await wire.response(1)).body, 'hello');
  await on.served.pass(1000);
  assert.equal(await wire.closed(), 'fin');
  wire.socket.end();
  assert.deepEqual((await report).closed, { 'drained-answered': 1 });
});
