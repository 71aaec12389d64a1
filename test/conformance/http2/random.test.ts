import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { Handler } from '../../../src/core/handler.ts';
import type { HttpResponse } from '../../../src/core/message.ts';
import {
  block,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  goaway,
  headers,
  PADDED,
  POST,
  PREFACE,
  ping,
  priority,
  priorityUpdate,
  request,
  rstStream,
  SETTING,
  settings,
  TYPE,
  WHOLE,
  windowUpdate,
} from '../../support/http2-frames.ts';
import { Http2Wire } from '../../support/http2-wire.ts';
import { eventually, turns } from '../../support/wire.ts';
import { Http2Served } from './verdict.ts';

async function* pieces(): AsyncGenerator<string> {
  yield 'one ';
  await turns(1);
  yield 'two ';
  yield 'x'.repeat(20_000);
}

/** Every kind of answer there is. */
const handler: Handler = async (received): Promise<HttpResponse> => {
  switch (received.target) {
    case '/pieces':
      received.inform({ status: 103 });
      return { status: 200, body: pieces() };
    case '/echo':
      return { status: 200, body: received.incoming };
    case '/throw':
      throw new Error('on purpose');
    case '/late':
      await turns(2);
      return { status: 200, body: 'late', onDrain: () => undefined };
    case '/tunnel':
      return received.upgrade === null
        ? { status: 404 }
        : { status: 101, takeover: (socket) => void socket.on('error', () => undefined).pipe(socket) };
    case '/text':
      return { status: 200, body: await received.text() };
    default:
      return { status: 200, body: 'hello' };
  }
};

const at = (path: string, method = 'POST') => request({ ':method': method, ':path': path });
const TUNNEL = request({ ':method': 'CONNECT', ':protocol': 'echo', ':path': '/tunnel' });

/** A conversation with everything in it; the answers end all streams. */
const CONVERSATION = Buffer.concat([
  PREFACE,
  settings([
    [SETTING.ENABLE_PUSH, 0],
    [SETTING.INITIAL_WINDOW_SIZE, 1000],
  ]),
  headers(1, GET),
  windowUpdate(0, 1_000_000),
  headers(3, at('/echo'), END_HEADERS),
  data(3, 'echo ', 0),
  ping(),
  headers(5, at('/pieces', 'GET').slice(0, 2), END_STREAM),
  continuation(5, at('/pieces', 'GET').slice(2)),
  frame(TYPE.DATA, PADDED, 3, '\x03this\0\0\0'),
  priorityUpdate(7, 'u=1, i'),
  headers(7, [...at('/text'), ['content-length', '4'], ['cookie', 'a=1']], END_HEADERS),
  data(7, 'text'),
  settings([[SETTING.INITIAL_WINDOW_SIZE, 100_000]]),
  headers(3, [['sum', '9']]),
  frame(TYPE.HEADERS, WHOLE, 9, Buffer.concat([Buffer.from('3fe11f', 'hex'), block(at('/throw', 'GET'))])),
  headers(11, TUNNEL, END_HEADERS),
  data(11, 'through'),
  headers(13, at('/late', 'HEAD')),
  headers(15, [...GET, ['X', 'malformed']]),
  rstStream(15),
  frame(0x42, 7, 99, 'unknown'),
  priority(1, 0),
]);
const STREAMS = [1, 3, 5, 7, 9, 11, 13, 15];

/** What a client has got, without what depends on the moment. */
async function answers(wire: Http2Wire): Promise<unknown[]> {
  const got: unknown[] = [];
  for (const id of STREAMS) {
    const { status, body, reset, trailers, informational } = await wire.response(id);
    got.push({ id, status, bodyBytes: body.length, head: body.slice(0, 20), reset, trailers, informational });
  }
  return got;
}

async function start(t: TestContext): Promise<Http2Served> {
  return Http2Served.start(t, handler, { body: 'manual', http2: { streamMaxCount: 20 } });
}

/** Nothing is left of the clients, and new ones are served. */
async function assertSound(on: Http2Served, wires: readonly Http2Wire[]): Promise<void> {
  for (const { socket } of wires) socket.destroy();
  const { server, port } = on.served;
  await eventually(() => server.status().connections.total === 0, 'the last connection');
  await eventually(() => server.status().requests.inFlight === 0, 'the last request');
  using wire = await Http2Wire.open(port);
  assert.equal((await wire.send(headers(1, GET)).response(1)).body, 'hello');
  wire.socket.destroy();
  await eventually(() => server.status().connections.total === 0, 'the last connection');
}

async function said(on: Http2Served, ...parts: readonly Buffer[]): Promise<Http2Wire> {
  const wire = await Http2Wire.connect(on.served.port);
  for (const part of parts) {
    wire.send(part);
    if (parts.length > 1) await new Promise((resolve) => setImmediate(resolve));
  }
  return wire;
}

test('a conversation is answered alike however its bytes are cut', async (t) => {
  const on = await start(t);
  const whole = await said(on, CONVERSATION);
  const wanted = await answers(whole);
  assert.deepEqual(
    wanted.map((answer) => Object(answer).status),
    [200, 200, 200, 200, 500, 200, 200, 0],
  );
  const wires = [whole];
  // In two, at every byte.
  for (let at = 1; at < CONVERSATION.length; at += 1) {
    const wire = await said(on, CONVERSATION.subarray(0, at), CONVERSATION.subarray(at));
    assert.deepEqual(await answers(wire), wanted, `cut at ${at}`);
    wire.socket.destroy();
  }
  const cut = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(cut, async (sizes) => {
      const parts: Buffer[] = [];
      for (let from = 0; from < CONVERSATION.length; ) {
        const size = sizes[parts.length % sizes.length] ?? 1;
        parts.push(CONVERSATION.subarray(from, from + size));
        from += size;
      }
      const wire = await said(on, ...parts);
      assert.deepEqual(await answers(wire), wanted);
      wires.push(wire);
    }),
    { numRuns: 15, seed: 1 },
  );
  await assertSound(on, wires);
});

test('a conversation that breaks off at any byte leaves nothing behind, by FIN and by reset', async (t) => {
  const on = await start(t);
  const wires: Http2Wire[] = [];
  for (let at = 0; at < CONVERSATION.length; at += 1) {
    const wire = await said(on, CONVERSATION.subarray(0, at));
    if (at % 2 === 0) wire.socket.end();
    else wire.socket.resetAndDestroy();
    wires.push(wire);
    if (wires.length === 50) await assertSound(on, wires.splice(0));
  }
  await assertSound(on, wires);
});

const ids = fc.constantFrom(0, 1, 1, 3, 3, 5, 7, 9, 2, 101);
const paths = fc.constantFrom('/', '/pieces', '/echo', '/throw', '/late', '/text');
const flags = fc.constantFrom(0, END_STREAM, END_HEADERS, WHOLE, WHOLE, WHOLE | PADDED, END_HEADERS | 0x20, 0xff);
const increments = fc.oneof(fc.constantFrom(0, 1, 1000, 2 ** 31 - 1), fc.nat(100_000));
const fields = fc.oneof(
  paths.map((path) => at(path)),
  paths.map((path) => at(path, 'GET')),
  paths.map((path) => [...at(path), ['content-length', '5'] as const]),
  fc.constantFrom(GET, POST, TUNNEL, [...GET, ['X', 'y'] as const], [['sum', '1'] as const]),
);
const octets = (maxLength: number) => fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes));

/** Frames that are near to what makes sense. */
const plausible = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(ids, fields, flags).map(([id, lines, given]) => headers(id, lines, given)) },
  { weight: 3, arbitrary: fc.tuple(ids, octets(30), flags).map(([id, bytes, given]) => data(id, bytes, given)) },
  { weight: 1, arbitrary: fc.tuple(ids, fields, flags).map(([id, lines, given]) => continuation(id, lines, given)) },
  { weight: 2, arbitrary: fc.tuple(ids, increments).map(([id, increment]) => windowUpdate(id, increment)) },
  { weight: 2, arbitrary: fc.tuple(ids, fc.nat(20)).map(([id, code]) => rstStream(id, code)) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.integer({ min: 1, max: 10 }), increments).map(([id, value]) => settings([[id, value]])),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(ping(), frame(TYPE.SETTINGS, 1, 0), frame(TYPE.PING, 1, 0, 'goodbye!'), goaway(0, 0)),
  },
  { weight: 1, arbitrary: fc.tuple(ids, ids).map(([id, other]) => priority(id, other)) },
  { weight: 1, arbitrary: fc.tuple(ids, fc.string({ maxLength: 8 })).map(([id, value]) => priorityUpdate(id, value)) },
);
const anything = fc
  .tuple(fc.integer({ min: 0, max: 20 }), fc.nat(255), ids, octets(40))
  .map(([type, given, id, bytes]) => frame(type, given, id, bytes));

test('frames at random never stop the server, and leave nothing behind', async (t) => {
  const on = await start(t);
  let wires: Http2Wire[] = [];
  const sequence = fc.array(fc.oneof({ weight: 8, arbitrary: plausible }, { weight: 1, arbitrary: anything }), {
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(sequence, fc.boolean(), async (frames, together) => {
      const first = Buffer.concat([PREFACE, settings()]);
      wires.push(await said(on, ...(together ? [Buffer.concat([first, ...frames])] : [first, ...frames])));
      if (wires.length < 25) return;
      await turns(5);
      await assertSound(on, wires);
      wires = [];
    }),
    { numRuns: 500, seed: 2 },
  );
  await assertSound(on, wires);
});

test('a valid conversation with wrong octets in it never stops the server, and leaves nothing behind', async (t) => {
  const on = await start(t);
  let wires: Http2Wire[] = [];
  const change = fc.tuple(fc.integer({ min: PREFACE.length, max: CONVERSATION.length - 1 }), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const bytes = Buffer.from(CONVERSATION);
      for (const [position, octet] of changes) bytes[position] = octet;
      wires.push(await said(on, bytes));
      if (wires.length < 25) return;
      await turns(5);
      await assertSound(on, wires);
      wires = [];
    }),
    { numRuns: 500, seed: 3 },
  );
  await assertSound(on, wires);
});

test('windows that open and shut at random lose no octet of an answer', async (t) => {
  const body = Buffer.from(Array.from({ length: 60_000 }, (_, index) => index % 251));
  const on = await Http2Served.start(t, ({ target }) => ({
    status: 200,
    body:
      target === '/'
        ? body
        : (async function* () {
            for (let from = 0; from < body.length; from += 7000) yield body.subarray(from, from + 7000);
          })(),
  }));
  const step = fc.oneof(
    fc.nat(30_000).map((bytes) => settings([[SETTING.INITIAL_WINDOW_SIZE, bytes]])),
    fc
      .tuple(fc.constantFrom(0, 1, 3), fc.integer({ min: 300, max: 20_000 }))
      .map(([id, bytes]) => windowUpdate(id, bytes)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      using wire = await Http2Wire.open(on.served.port);
      wire.send(headers(1, GET), headers(3, at('/pieces', 'GET')));
      for (const bytes of steps) {
        wire.send(bytes);
        await new Promise((resolve) => setImmediate(resolve));
      }
      wire.send(settings([[SETTING.INITIAL_WINDOW_SIZE, 500_000]]), windowUpdate(0, 500_000));
      for (const id of [1, 3]) assert.ok(Buffer.from((await wire.response(id)).body, 'latin1').equals(body));
    }),
    { numRuns: 60, seed: 4 },
  );
});
