import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpRequest } from '../../../src/core/request.ts';
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
  SETTING,
  settings,
  TYPE,
  windowUpdate,
} from '../../support/http2-frames.ts';
import { Http2Wire } from '../../support/http2-wire.ts';
import { eventually, turns } from '../../support/wire.ts';
import { Served } from '../served.ts';
import { assertConnectionError, assertStreamError, Http2Served } from './verdict.ts';

const text = async (received: HttpRequest) => ({ status: 200, body: await received.text() });
const never = (): Promise<never> => new Promise(() => undefined);

/** GOAWAY without an error, then the end: acknowledges the PING, as every client does. */
async function assertGoodbye(wire: Http2Wire, lastStreamId: number): Promise<void> {
  const first = await wire.frame(TYPE.GOAWAY);
  assert.deepEqual([first.payload.readUInt32BE(0), first.payload.readUInt32BE(4)], [2 ** 31 - 1, CODE.NO_ERROR]);
  const { payload } = await wire.frame(TYPE.PING);
  wire.send(frame(TYPE.PING, 1, 0, payload));
  const last = await wire.frame(TYPE.GOAWAY);
  assert.deepEqual([last.payload.readUInt32BE(0), last.payload.readUInt32BE(4)], [lastStreamId, CODE.NO_ERROR]);
}

test('a header list over headerListMaxBytes is answered 431, with its own limit announced (RFC 9113 §10.5.1)', async (t) => {
  const on = await Http2Served.start(t, () => ({ status: 200 }), { http2: { headerListMaxBytes: 2000 } });
  const wire = await on.connect();
  const { payload } = await wire.frame(TYPE.SETTINGS);
  assert.ok(payload.includes(Buffer.from([0, SETTING.MAX_HEADER_LIST_SIZE, 0, 0, 2000 >> 8, 2000 & 0xff])));
  wire.send(
    PREFACE,
    settings(),
    headers(1, [...GET, ['x', 'x'.repeat(1900)]]),
    headers(3, [...GET, ['x', 'x'.repeat(1500)]]),
  );
  assert.equal((await wire.response(1)).status, 431);
  assert.equal((await wire.response(3)).status, 200);
  const head = request({ ':method': 'HEAD' }, [['x', 'x'.repeat(1900)]]);
  wire.send(headers(5, head));
  const { status, body } = await wire.response(5);
  assert.deepEqual([status, body], [431, ''], 'and never with a body to HEAD');
});

test('more header lines than headerMaxCount are answered 431, a longer target than targetMaxBytes 414', async (t) => {
  let seen = 0;
  const on = await Http2Served.start(
    t,
    () => {
      seen += 1;
      return { status: 200 };
    },
    {},
    { headerMaxCount: 2, targetMaxBytes: 8 },
  );
  const wire = await on.open();
  wire.send(
    headers(
      1,
      request({}, [
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
      ]),
    ),
    headers(3, request({ ':path': '/23456789' })),
  );
  assert.equal((await wire.response(1)).status, 431);
  assert.equal((await wire.response(3)).status, 414);
  assert.equal(seen, 0);
  wire.send(
    headers(
      5,
      request({ ':path': '/2345678' }, [
        ['a', '1'],
        ['b', '2'],
      ]),
    ),
  );
  assert.equal((await wire.response(5)).status, 200);
});

test('trailers over the limits end the stream', async (t) => {
  const on = await Http2Served.start(t, text, { http2: { headerListMaxBytes: 1024 } });
  const wire = await on.open();
  wire.send(headers(1, POST, END_HEADERS), data(1, 'x', 0), headers(1, [['x', 'x'.repeat(1024)]]));
  await assertStreamError(wire, 1, 'PROTOCOL_ERROR', 'ENHANCE_YOUR_CALM');
});

test('a body over bodyMaxBytes is answered 413: before it is read where its length is known', async (t) => {
  const on = await Http2Served.start(t, text, {}, { bodyMaxBytes: 4 });
  const wire = await on.open();
  wire.send(headers(1, [...POST, ['content-length', '5']], END_HEADERS));
  const known = await wire.response(1);
  assert.equal(known.status, 413);
  wire.send(headers(3, POST, END_HEADERS), data(3, 'abc', 0));
  await wire.settled();
  wire.send(data(3, 'def', 0));
  assert.equal((await wire.response(3)).status, 413);
  wire.send(headers(5, POST, END_HEADERS), data(5, 'abcd'));
  assert.equal((await wire.response(5)).body, 'abcd');
});

test('a body that comes more slowly than dataRateMinBytesPerSec is answered 408', async (t) => {
  const on = await Http2Served.start(t, text, {}, { dataRateMinBytesPerSec: 100 });
  const wire = await on.open();
  wire.send(headers(1, POST, END_HEADERS), data(1, 'x', 0));
  await wire.settled();
  await on.served.pass(4000);
  assert.equal((await wire.response(1)).status, 408);
});

test('a large DATA frame that comes slowly, but fast enough, is not too slow', async (t) => {
  const on = await Http2Served.start(t, text, {}, { dataRateMinBytesPerSec: 100 });
  const wire = await on.open();
  const bytes = Buffer.concat([headers(1, POST, END_HEADERS), data(1, 'x'.repeat(5000))]);
  const head = bytes.length - 5000;
  wire.send(bytes.subarray(0, head));
  for (let at = head; at < bytes.length; at += 500) {
    wire.send(bytes.subarray(at, at + 500));
    await turns(5);
    if (at + 500 < bytes.length) await on.served.pass(2000);
  }
  assert.equal((await wire.response(1)).body.length, 5000);
});

test('a handler over handlerTimeoutMs is answered for with 504, and its request aborts', async (t) => {
  const aborted: string[] = [];
  const on = await Http2Served.start(
    t,
    (received) => {
      received.onAbort(({ code }) => aborted.push(code));
      return never();
    },
    {},
    { handlerTimeoutMs: 1000 },
  );
  const wire = await on.open();
  wire.send(headers(1, GET));
  await on.served.doing('in-flight');
  await on.served.pass(1000);
  assert.equal((await wire.response(1)).status, 504);
  assert.deepEqual(aborted, ['handler-timeout']);
  assert.equal(on.served.server.status().requests.inFlight, 0);
});

test('a header block that is not complete within headTimeoutMs ends the connection, however it drips', async (t) => {
  const on = await Http2Served.start(t, never, {}, { headTimeoutMs: 2000 });
  const starts = [
    [headers(1, GET.slice(0, 1), END_STREAM), continuation(1, [['x', 'y']], 0)],
    [headers(1, GET).subarray(0, 20), headers(1, GET).subarray(20, 21)],
  ] as const;
  for (const [start, more] of starts) {
    const wire = await on.open();
    wire.send(start);
    await turns(5);
    await on.served.pass(1000);
    wire.send(more);
    await turns(5);
    await on.served.pass(1000);
    await assertConnectionError(wire, 'ENHANCE_YOUR_CALM');
  }
});

test('a client that does not complete its preface within headTimeoutMs is closed', async (t) => {
  const on = await Http2Served.start(t, never, {}, { headTimeoutMs: 1000 });
  for (const start of [
    PREFACE.subarray(0, 0),
    PREFACE.subarray(0, 10),
    PREFACE,
    Buffer.concat([PREFACE, settings().subarray(0, 5)]),
  ]) {
    const wire = await on.connect();
    if (start.length > 0) wire.send(start);
    await eventually(() => on.served.server.status().connections.reading === 1);
    await turns(5);
    await on.served.pass(1000);
    assert.equal(await wire.closed(), 'fin');
    wire.socket.end();
    await eventually(() => on.served.server.status().connections.total === 0);
  }
  assert.deepEqual(on.served.server.status().listeners[0]?.closed, { 'request-timeout': 4 });
});

test('an idle connection ends after idleTimeoutMs with GOAWAY NO_ERROR (RFC 9113 §9.1)', async (t) => {
  const on = await Http2Served.start(t, () => ({ status: 200 }), {}, { idleTimeoutMs: 1000 });
  const wire = await on.open();
  wire.send(headers(1, GET));
  await wire.response(1);
  await on.served.pass(750);
  wire.send(headers(3, GET));
  await wire.response(3);
  await on.served.pass(750);
  await wire.settled();
  await on.served.pass(250);
  await assertGoodbye(wire, 3);
  assert.equal(await wire.closed(), 'fin');
  wire.socket.end();
  await on.served.closedFor('idle-timeout');
});

test('a connection with a stream is never idle; PING and SETTINGS do not keep one from being so', async (t) => {
  const on = await Http2Served.start(t, never, {}, { idleTimeoutMs: 1000 });
  const busy = await on.open();
  busy.send(headers(1, GET));
  await on.served.doing('in-flight');
  await on.served.pass(5000);
  await busy.settled();
  assert.deepEqual(busy.unread, []);
  const idle = await on.open();
  await on.served.pass(500);
  await idle.settled();
  idle.send(settings());
  await idle.frame(TYPE.SETTINGS);
  await on.served.pass(500);
  await assertGoodbye(idle, 0);
});

test('a request that comes between the two GOAWAY of an idle timeout is answered', async (t) => {
  const on = await Http2Served.start(t, () => ({ status: 200, body: 'still' }), {}, { idleTimeoutMs: 1000 });
  const wire = await on.open();
  await on.served.pass(1000);
  const { payload } = await wire.frame(TYPE.PING);
  wire.send(headers(1, GET), frame(TYPE.PING, 1, 0, payload));
  assert.equal((await wire.response(1)).body, 'still');
  const last = await wire.frame(TYPE.GOAWAY).catch(() => null);
  assert.equal(last === null || last.payload.readUInt32BE(0) === 1, true);
  assert.equal(await wire.closed(), 'fin');
});

test('after requestsPerConnectionMaxCount the connection says goodbye, and all its answers are given', async (t) => {
  const on = await Http2Served.start(t, () => ({ status: 200, body: 'b' }), {}, { requestsPerConnectionMaxCount: 2 });
  const wire = await on.open();
  wire.send(headers(1, GET), headers(3, GET));
  assert.equal((await wire.response(1)).body, 'b');
  assert.equal((await wire.response(3)).body, 'b');
  await assertGoodbye(wire, 3);
  assert.equal(await wire.closed(), 'fin');
  wire.socket.end();
  await on.served.closedFor('requests-exhausted');
});

test('requests over requestMaxCount are answered 503 with retry-after', async (t) => {
  const on = await Http2Served.start(t, never, {}, { requestMaxCount: 1 });
  const wire = await on.open();
  wire.send(headers(1, GET), headers(3, GET));
  const response = await wire.response(3);
  assert.deepEqual([response.status, response.get('retry-after')], [503, '1']);
});

test('a stream whose window stays shut for writeStallTimeoutMs is reset, and the others go on', async (t) => {
  const on = await Http2Served.start(t, () => ({ status: 200, body: 'hello' }), {}, { writeStallTimeoutMs: 1000 });
  const wire = await on.open([[SETTING.INITIAL_WINDOW_SIZE, 0]]);
  wire.send(headers(1, GET));
  await wire.settled();
  await on.served.pass(750);
  wire.send(headers(3, GET), windowUpdate(3, 1));
  await wire.settled();
  await on.served.pass(250);
  const { status, reset } = await wire.response(1);
  assert.deepEqual([status, reset], [200, CODE.CANCEL]);
  wire.send(windowUpdate(3, 4));
  assert.equal((await wire.response(3)).body, 'hello');
});

test('a connection whose window stays shut for writeStallTimeoutMs ends, but not when nothing waits for it', async (t) => {
  const on = await Http2Served.start(
    t,
    () => ({ status: 200, body: 'x'.repeat(100_000) }),
    {},
    { writeStallTimeoutMs: 1000, idleTimeoutMs: null },
  );
  const wire = await on.open([[SETTING.INITIAL_WINDOW_SIZE, 1_000_000]]);
  wire.send(headers(1, GET));
  await eventually(() => wire.receivedBytes > 65_535);
  wire.send(frame(TYPE.RST_STREAM, 0, 1, '\0\0\0\x08'));
  await wire.settled();
  await on.served.pass(5000);
  await wire.settled();
  wire.send(headers(3, GET));
  await wire.settled();
  await on.served.pass(1000);
  await assertConnectionError(wire, 'ENHANCE_YOUR_CALM');
});

test('a window may be shut from the first moment of the clock on, and is still found to be', async (t) => {
  const handler = () => ({ status: 200, body: 'x'.repeat(70_000) });
  for (const windowBytes of [0, 1_000_000]) {
    const served = await Served.start(t, handler, { writeStallTimeoutMs: 1000 }, { protocols: ['h2'] });
    assert.equal(served.clock.now(), 0);
    using wire = await Http2Wire.open(served.port, [[SETTING.INITIAL_WINDOW_SIZE, windowBytes]]);
    wire.send(headers(1, GET));
    await wire.settled();
    await served.pass(1500);
    if (windowBytes === 0) assert.equal((await wire.response(1)).reset, CODE.CANCEL);
    else await assertConnectionError(wire, 'ENHANCE_YOUR_CALM');
  }
});

test('a client that takes no bytes at all is cut off after writeStallTimeoutMs', async (t) => {
  const on = await Http2Served.start(
    t,
    () => ({ status: 200, body: Buffer.alloc(32 * 1024 * 1024) }),
    {},
    { writeStallTimeoutMs: 1000 },
  );
  const wire = await on.open([[SETTING.INITIAL_WINDOW_SIZE, 2 ** 31 - 1]]);
  wire.socket.pause();
  wire.send(windowUpdate(0, 2 ** 31 - 1 - 65_535), headers(1, GET));
  await eventually(() => on.served.server.status().requests.served === 1);
  await turns(20);
  await on.served.pass(3000);
  wire.socket.resume();
  await on.served.closedFor('write-stall');
});

test('a connection over connectionMaxCount is told by GOAWAY that nothing of it was taken, and closed', async (t) => {
  const on = await Http2Served.start(t, never, {}, { connectionMaxCount: 1 });
  const first = await on.open();
  const second = await on.connect();
  second.send(PREFACE, settings(), headers(1, GET));
  const { payload } = await second.frame(TYPE.GOAWAY);
  assert.deepEqual([payload.readUInt32BE(0), payload.readUInt32BE(4)], [0, CODE.REFUSED_STREAM]);
  assert.equal(await second.closed(), 'fin');
  await first.settled();
  assert.deepEqual(on.served.server.status().refused, { 'connection-budget-exceeded': 1 });
});

test('on a plaintext port for both protocols the first bytes tell, however they are cut (RFC 9113 §3.3)', async (t) => {
  const on = await Http2Served.start(t, ({ protocol }) => ({ status: 200, body: protocol }), {
    protocols: ['h2', 'http1'],
  });
  const bytes = Buffer.concat([PREFACE, settings(), headers(1, GET)]);
  for (let at = 1; at < PREFACE.length + 3; at += 1) {
    const wire = await on.connect();
    wire.send(bytes.subarray(0, at));
    await turns(2);
    wire.send(bytes.subarray(at));
    assert.equal((await wire.response(1)).body, 'HTTP/2');
  }
  for (const method of ['GET', 'P', 'PRI', 'PRIX']) {
    const wire = await on.served.send(`${method} / HTTP/1.1\r\nhost: a\r\n\r\n`);
    assert.equal((await wire.response()).body, 'HTTP/1.1');
  }
});
