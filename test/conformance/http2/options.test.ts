import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Handler } from '../../../src/core/handler.ts';
import { HTTP2_DEFAULTS, type Http2Options, http2Options } from '../../../src/protocol/http2/options.ts';
import {
  block,
  CODE,
  data,
  END_HEADERS,
  frame,
  GET,
  headers,
  POST,
  PREFACE,
  rstStream,
  SETTING,
  settings,
  TYPE,
  WHOLE,
} from '../../support/http2-frames.ts';
import type { Http2Wire } from '../../support/http2-wire.ts';
import { assertConnectionError, assertStreamError, Http2Served } from './verdict.ts';

const read: Handler = async (received) => ({ status: 200, body: String((await received.bytes()).length) });
const never: Handler = () => new Promise(() => undefined);
/** Does not read the body. */
const unread: Handler = Object.assign(() => new Promise<never>(() => undefined), { bodyMode: 'manual' } as const);

/** A server with these options, and a client that has said nothing; the server's first words, as settings by number. */
async function announced(t: TestContext, http2: Partial<Http2Options>, handler: Handler = read) {
  const on = await Http2Served.start(t, handler, { http2 });
  const wire = await on.connect();
  const { payload } = await wire.frame(TYPE.SETTINGS);
  const values = new Map<number, number>();
  for (let at = 0; at < payload.length; at += 6) values.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  return { on, wire, values };
}

async function agree(wire: Http2Wire): Promise<void> {
  wire.send(PREFACE, settings(), frame(TYPE.SETTINGS, 1, 0));
  await wire.settled();
}

test('the defaults are announced only where they differ from those of RFC 9113 §6.5.2', async (t) => {
  const { wire, values } = await announced(t, {});
  assert.deepEqual(
    [...values],
    [
      [SETTING.MAX_HEADER_LIST_SIZE, 16_384],
      [SETTING.MAX_CONCURRENT_STREAMS, 128],
      [SETTING.ENABLE_CONNECT_PROTOCOL, 1],
      [SETTING.NO_RFC7540_PRIORITIES, 1],
    ],
  );
  await agree(wire);
  assert.ok(!wire.unread.some(({ type }) => type === TYPE.WINDOW_UPDATE));
});

test('connectionWindowBytes above 65 535 is announced right after SETTINGS, and holds', async (t) => {
  const { wire } = await announced(t, { connectionWindowBytes: 200_000, streamWindowBytes: 500_000 }, never);
  const { streamId, payload } = await wire.frame(TYPE.WINDOW_UPDATE);
  assert.deepEqual([streamId, payload.readUInt32BE(0)], [0, 200_000 - 65_535]);
  await agree(wire);
});

test('streamWindowBytes is announced, and holds: what is over it ends the stream', async (t) => {
  for (const bytes of [100, 100_000]) {
    const { wire, values } = await announced(t, { streamWindowBytes: bytes, connectionWindowBytes: 300_000 }, unread);
    assert.equal(values.get(SETTING.INITIAL_WINDOW_SIZE), bytes);
    await agree(wire);
    wire.send(headers(1, POST, END_HEADERS));
    for (let left = bytes; left > 0; left -= 16_384) wire.send(data(1, Buffer.alloc(Math.min(16_384, left)), 0));
    await wire.settled();
    assert.ok(!wire.unread.some(({ type }) => type === TYPE.RST_STREAM));
    wire.send(data(1, 'x', 0));
    await assertStreamError(wire, 1, 'FLOW_CONTROL_ERROR');
  }
});

test('a stream window below the start value holds only once it is acknowledged (RFC 9113 §6.9.2)', async (t) => {
  const { wire } = await announced(t, { streamWindowBytes: 100 });
  // Sent before the server's SETTINGS were read.
  wire.send(PREFACE, settings(), headers(1, POST, END_HEADERS), data(1, Buffer.alloc(10_000), 0));
  await wire.settled();
  wire.send(frame(TYPE.SETTINGS, 1, 0), data(1, ''));
  assert.equal((await wire.response(1)).body, '10000');
});

test('windowRefillThresholdBytes decides when a window is given back, half of it at the latest', async (t) => {
  for (const [thresholdBytes, sentBytes, givenBytes] of [
    [1000, 999, 0],
    [1000, 1000, 1000],
    [1_000_000, 32_766, 0],
    [1_000_000, 32_767, 32_767],
  ] as const) {
    const { wire } = await announced(t, { windowRefillThresholdBytes: thresholdBytes, frameMaxBytes: 65_536 });
    await agree(wire);
    wire.send(headers(1, POST, END_HEADERS), data(1, Buffer.alloc(sentBytes), 0));
    await wire.settled();
    for (const id of [0, 1]) {
      const updates = wire.unread.filter(({ type, streamId }) => type === TYPE.WINDOW_UPDATE && streamId === id);
      assert.equal(
        updates.reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0),
        givenBytes,
      );
    }
  }
});

test('frameMaxBytes is announced, and holds (RFC 9113 §4.2)', async (t) => {
  const { wire, values } = await announced(t, { frameMaxBytes: 20_000 });
  assert.equal(values.get(SETTING.MAX_FRAME_SIZE), 20_000);
  await agree(wire);
  wire.send(headers(1, POST, END_HEADERS), data(1, Buffer.alloc(20_000)));
  assert.equal((await wire.response(1)).body, '20000');
  wire.send(headers(3, POST, END_HEADERS), data(3, Buffer.alloc(20_001)));
  await assertConnectionError(wire, 'FRAME_SIZE_ERROR');
});

test('headerTableMaxBytes is announced; who has acknowledged less than 4 096 must say so in the next block (RFC 9113 §4.3.1)', async (t) => {
  for (const [prefix, taken] of [
    ['20', true],
    ['3f25', true],
    ['3f29', false],
    ['', false],
  ] as const) {
    const { wire, values } = await announced(t, { headerTableMaxBytes: 68 }, () => ({ status: 200 }));
    assert.equal(values.get(SETTING.HEADER_TABLE_SIZE), 68);
    wire.send(PREFACE, settings(), headers(1, GET));
    assert.equal((await wire.response(1)).status, 200, 'before the acknowledgement nothing has changed');
    wire.send(frame(TYPE.SETTINGS, 1, 0));
    wire.send(frame(TYPE.HEADERS, WHOLE, 3, Buffer.concat([Buffer.from(prefix, 'hex'), block(GET)])));
    if (taken) assert.equal((await wire.response(3)).status, 200);
    else await assertConnectionError(wire, 'COMPRESSION_ERROR');
  }
});

test('a client may use a table as large as headerTableMaxBytes', async (t) => {
  const { wire } = await announced(t, { headerTableMaxBytes: 8192 }, () => ({ status: 200 }));
  await agree(wire);
  const update = Buffer.from('3fe13f', 'hex');
  wire.send(frame(TYPE.HEADERS, WHOLE, 1, Buffer.concat([update, block(GET)])));
  assert.equal((await wire.response(1)).status, 200);
});

test('a client that takes a smaller header table gets blocks for it (RFC 9113 §6.5.2)', async (t) => {
  const on = await Http2Served.start(t, () => ({ status: 200, headers: { 'x-long': 'y'.repeat(30) } }));
  const wire = await on.open([[SETTING.HEADER_TABLE_SIZE, 0]]);
  for (const id of [1, 3, 5]) {
    wire.send(headers(id, GET));
    assert.equal((await wire.response(id)).get('x-long'), 'y'.repeat(30));
  }
});

test('streamMaxCount is announced, and one more is refused until one has ended', async (t) => {
  const { wire, values } = await announced(t, { streamMaxCount: 2 }, never);
  assert.equal(values.get(SETTING.MAX_CONCURRENT_STREAMS), 2);
  await agree(wire);
  wire.send(headers(1, GET), headers(3, GET), headers(5, GET));
  await assertStreamError(wire, 5, 'REFUSED_STREAM');
});

test('streamTotalMaxCount holds for all connections, and leaves each a fair part', async (t) => {
  const http2 = { streamTotalMaxCount: 8 };
  const on = await Http2Served.start(t, never, { http2 });
  const [first, second] = [await on.open(), await on.open()];
  const ids = Array.from({ length: 10 }, (_, index) => 2 * index + 1);
  second.send(headers(1, GET));
  await second.settled();
  first.send(...ids.map((id) => headers(id, GET)));
  await first.settled();
  const refused = (wire: Http2Wire): number => wire.unread.filter(({ type }) => type === TYPE.RST_STREAM).length;
  // Half of eight is nobody's in particular; beyond it, two connections have four each.
  assert.equal(refused(first), 6);
  second.send(...ids.slice(1).map((id) => headers(id, GET)));
  await second.settled();
  assert.equal(refused(second), 6);
  const codes = first.unread
    .filter(({ type }) => type === TYPE.RST_STREAM)
    .map(({ payload }) => payload.readUInt32BE(0));
  assert.deepEqual(new Set(codes), new Set([CODE.REFUSED_STREAM]));
  first.socket.destroy();
  await on.served.doing('in-flight', 1);
  second.send(headers(101, GET), headers(103, GET));
  await second.settled();
  assert.equal(refused(second), 6, 'what the other had is free again');
  second.send(rstStream(1));
  await on.empty();
});

test('options out of their range are refused by name', () => {
  const small: Partial<Http2Options> = { connectionWindowBytes: 1000, frameMaxBytes: 100, headerListMaxBytes: 10 };
  for (const wrong of [small, { streamMaxCount: 0, streamTotalMaxCount: 0 }, { headerTableMaxBytes: -1 }]) {
    assert.throws(
      () => http2Options('http2', wrong),
      (error) => error instanceof TypeError && Object.keys(wrong).every((name) => error.message.includes(name)),
    );
  }
  assert.deepEqual(http2Options('http2', undefined), HTTP2_DEFAULTS);
});
