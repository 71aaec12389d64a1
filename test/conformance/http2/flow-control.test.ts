import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { BUDGETS } from '../../../src/protocol/http2/guard.ts';
import type { Http2Options } from '../../../src/protocol/http2/options.ts';
import {
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  headers,
  PADDED,
  POST,
  request,
  rstStream,
  SETTING,
  settings,
  TYPE,
  windowUpdate,
} from '../../support/http2-frames.ts';
import type { Http2Wire } from '../../support/http2-wire.ts';
import { eventually, turns } from '../../support/wire.ts';
import { assertConnectionError, assertStreamError, Http2Served } from './verdict.ts';

const window = (bytes: number) => [[SETTING.INITIAL_WINDOW_SIZE, bytes]] as const;

/** The sizes of the DATA frames of a stream that have come by now; taken. */
async function dataSizes(wire: Http2Wire): Promise<number[]> {
  await wire.settled();
  return wire.unread
    .splice(0)
    .filter(({ type }) => type === TYPE.DATA)
    .map(({ payload }) => payload.length);
}

/** Takes DATA frames, of all streams, until so many bytes have come; then looks whether more has. */
async function dataBytes(wire: Http2Wire, bytes: number): Promise<number> {
  let sum = 0;
  while (sum < bytes) sum += (await wire.frame(TYPE.DATA)).payload.length;
  const more = await dataSizes(wire);
  return more.reduce((total, size) => total + size, sum);
}

// ── what we send ─────────────────────────────────────────────────────────────────────────────────────────────────

test('a window of 1 lets one octet go (RFC 9113 §6.9)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open(window(1));
  wire.send(headers(1, GET));
  assert.deepEqual(await dataSizes(wire), [1]);
});

test('the last of several INITIAL_WINDOW_SIZE in one frame counts (RFC 9113 §6.5.3)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open([...window(100), ...window(1)]);
  wire.send(headers(1, GET));
  assert.deepEqual(await dataSizes(wire), [1]);
});

test('a window that grows by SETTINGS lets a waiting stream go on (RFC 9113 §6.9.2)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open(window(0));
  wire.send(headers(1, GET));
  assert.deepEqual(await dataSizes(wire), []);
  wire.send(settings(window(1)));
  assert.deepEqual(await dataSizes(wire), [1]);
});

test('a window may become negative, and must be made good before more is sent (RFC 9113 §6.9.2)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open(window(3));
  wire.send(headers(1, GET));
  assert.deepEqual(await dataSizes(wire), [3]);
  wire.send(settings(window(2)), windowUpdate(1, 1));
  assert.deepEqual(await dataSizes(wire), []);
  wire.send(windowUpdate(1, 1));
  assert.deepEqual(await dataSizes(wire), [1]);
});

test('a download whose windows end just short of a frame is no attack, however long it takes', async (t) => {
  const rounds = 2 * BUDGETS.crumbs.burstCount;
  const on = await Http2Served.start(t, () => ({ status: 200, body: Buffer.alloc(rounds * 8200) }));
  const wire = await on.open(window(8191));
  wire.send(windowUpdate(0, 16_777_216), headers(1, GET));
  await wire.frame(TYPE.DATA);
  for (let round = 0; round < rounds; round += 1) {
    wire.send(windowUpdate(1, 1));
    assert.equal((await wire.frame(TYPE.DATA)).payload.length, 1);
    wire.send(windowUpdate(1, 8191));
    assert.equal((await wire.frame(TYPE.DATA)).payload.length, 8191);
  }
});

test('a window that becomes negative while DATA waits for its turn keeps them back (RFC 9113 §6.9.2)', async (t) => {
  const on = await Http2Served.start(t, () => ({ status: 200, body: 'x'.repeat(100_000) }));
  const wire = await on.open();
  wire.send(headers(1, GET), headers(3, GET));
  assert.equal(await dataBytes(wire, 65_535), 65_535);
  // Both wait for the connection's window; then one has none of its own any more.
  wire.send(settings(window(100)), windowUpdate(0, 200_000), windowUpdate(1, 100_000));
  await wire.settled();
  wire.send(settings(window(65_535)), windowUpdate(3, 100_000));
  assert.equal((await wire.response(1)).body.length + (await wire.response(3)).body.length, 200_000 - 65_535);
});

test('SETTINGS that would make a window larger than 2³¹−1 end the connection (RFC 9113 §6.9.2)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open(window(1));
  wire.send(headers(1, GET), windowUpdate(1, 2 ** 31 - 2), settings(window(2 ** 31 - 1)));
  await assertConnectionError(wire, 'FLOW_CONTROL_ERROR');
});

test('all streams together stay within the window of the connection (RFC 9113 §6.9.1)', async (t) => {
  const on = await Http2Served.start(t, () => ({ status: 200, body: 'x'.repeat(40_000) }));
  const wire = await on.open();
  wire.send(headers(1, GET), headers(3, GET));
  assert.equal(await dataBytes(wire, 65_535), 65_535);
  wire.send(windowUpdate(0, 1));
  assert.deepEqual(await dataSizes(wire), [1]);
  wire.send(windowUpdate(0, 100_000));
  assert.equal(await dataBytes(wire, 80_000 - 65_536), 80_000 - 65_536);
});

test('an end without DATA needs no window (RFC 9113 §6.9.1)', async (t) => {
  async function* empty(): AsyncGenerator<string> {
    await turns(1);
    yield '';
  }
  const on = await Http2Served.start(t, () => ({ status: 200, body: empty() }));
  const wire = await on.open(window(0));
  wire.send(headers(1, GET));
  assert.equal((await wire.response(1)).status, 200);
});

test('DATA frames are no larger than the client takes (RFC 9113 §4.2)', async (t) => {
  const on = await Http2Served.start(t, () => ({ status: 200, body: Buffer.alloc(60_000) }));
  const wire = await on.open();
  wire.send(headers(1, GET));
  await wire.sees(({ type, flags }) => type === TYPE.DATA && (flags & END_STREAM) !== 0, 'the end');
  assert.deepEqual(await dataSizes(wire), [16_384, 16_384, 16_384, 10_848]);
});

test('a client that does not read holds the source of an answer: little more than its window is taken from it', async (t) => {
  let givenBytes = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      givenBytes += 10_000;
      yield Buffer.alloc(10_000);
    }
  }
  const on = await Http2Served.start(t, () => ({ status: 200, body: endless() }));
  const wire = await on.open();
  wire.send(headers(1, GET));
  await eventually(() => wire.receivedBytes > 65_535);
  await wire.settled();
  assert.ok(givenBytes >= 65_535 + 65_536 && givenBytes < 65_535 + 65_536 + 30_000, String(givenBytes));
  const before = givenBytes;
  wire.send(windowUpdate(0, 50_000), windowUpdate(1, 50_000));
  await eventually(() => givenBytes > before);
  wire.send(rstStream(1));
  await on.served.doing('idle');
});

// ── what we take ─────────────────────────────────────────────────────────────────────────────────────────────────

/** A handler that reads its body a piece at a time, when the test says so. */
async function reading(t: TestContext, http2: Partial<Http2Options> = {}) {
  const pieces: number[] = [];
  let go: (() => void) | null = null;
  let openCount = 0;
  const handler = async (received: AsyncIterable<Uint8Array>) => {
    for await (const piece of received) {
      while (openCount === 0) {
        await new Promise<void>((resolve) => {
          go = resolve;
        });
      }
      openCount -= 1;
      pieces.push(piece.length);
    }
    return { status: 200, body: String(pieces.length) };
  };
  const on = await Http2Served.start(t, handler, { body: 'manual', http2 });
  const take = (count: number): void => {
    openCount += count;
    go?.();
  };
  return { on, pieces, take };
}

const isUpdate = (streamId: number) => (received: { type: number; streamId: number }) =>
  received.type === TYPE.WINDOW_UPDATE && received.streamId === streamId;

test('a handler that does not read holds the client: the window of its stream is not refilled (RFC 9113 §5.2)', async (t) => {
  const { on, take } = await reading(t);
  const wire = await on.open();
  wire.send(headers(1, POST, END_HEADERS), data(1, Buffer.alloc(16_384), 0), data(1, Buffer.alloc(16_384), 0));
  await wire.settled();
  assert.equal(wire.unread.filter(isUpdate(1)).length, 0);
  assert.equal(wire.unread.filter(isUpdate(0)).length, 1, 'the window of the connection is for the others');
  take(2);
  const { payload } = await wire.frame(TYPE.WINDOW_UPDATE, isUpdate(1));
  assert.equal(payload.readUInt32BE(0), 32_768);
  wire.send(data(1, ''));
  assert.equal((await wire.response(1)).body, '2');
});

test('more than the window of a stream is a stream error (RFC 9113 §6.9.1)', async (t) => {
  const { on } = await reading(t, { streamWindowBytes: 1000 });
  const wire = await on.open();
  wire.send(headers(1, POST, END_HEADERS), data(1, Buffer.alloc(1000), 0), data(1, 'x', 0));
  await assertStreamError(wire, 1, 'FLOW_CONTROL_ERROR');
});

test('more than the window of the connection is a connection error (RFC 9113 §6.9.1)', async (t) => {
  // As large as the window allows for a frame: it is given back from half of it on, so only a frame can overrun it.
  const { on } = await reading(t, { streamWindowBytes: 1_000_000, frameMaxBytes: 100_000 });
  const wire = await on.open();
  wire.send(headers(1, POST, END_HEADERS), data(1, Buffer.alloc(65_536), 0));
  await assertConnectionError(wire, 'FLOW_CONTROL_ERROR');
});

test('padding counts, and is given back at once (RFC 9113 §6.1)', async (t) => {
  const { on } = await reading(t, { windowRefillThresholdBytes: 100 });
  const wire = await on.open();
  const padded = frame(TYPE.DATA, PADDED, 1, Buffer.concat([Buffer.from([200]), Buffer.from('x'), Buffer.alloc(200)]));
  wire.send(headers(1, POST, END_HEADERS), padded);
  const { payload } = await wire.frame(TYPE.WINDOW_UPDATE, isUpdate(1));
  assert.equal(payload.readUInt32BE(0), 201, 'the pad length and the padding');
});

test('a stream that has ended or was reset is given no window any more', async (t) => {
  const { on, take } = await reading(t, { windowRefillThresholdBytes: 1 });
  const wire = await on.open();
  wire.send(headers(1, POST, END_HEADERS), data(1, 'x'.repeat(100)));
  await wire.settled();
  take(1);
  await wire.response(1);
  await wire.settled();
  assert.equal(wire.unread.filter(isUpdate(1)).length, 0);
});

test('DATA for streams that are gone still count for the connection, and are given back (RFC 9113 §5.1)', async (t) => {
  const on = await Http2Served.start(t, () => ({ status: 200, body: 'early' }), { body: 'manual' });
  const wire = await on.open();
  const ids = [1, 3, 5, 7, 9, 11];
  wire.send(...ids.map((id) => headers(id, POST, END_HEADERS)));
  for (const id of ids) await wire.frame(TYPE.RST_STREAM, ({ streamId }) => streamId === id);
  // Each of them as far as its own window lets it.
  for (const id of ids) {
    for (let count = 0; count < 3; count += 1) wire.send(data(id, Buffer.alloc(16_384), 0));
    await wire.settled();
  }
  const given = wire.unread.filter(isUpdate(0)).reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
  assert.equal(given, 18 * 16_384);
});

test('an upload of many windows is read whole, with and without padding', async (t) => {
  const on = await Http2Served.start(t, async (received) => ({
    status: 200,
    body: String((await received.bytes()).length),
  }));
  const wire = await on.open();
  wire.send(headers(1, request({ ':method': 'POST' }, [['content-length', '1000000']]), END_HEADERS));
  let [left, room, connectionRoom] = [1_000_000, 65_535, 65_535];
  while (left > 0) {
    const bytes = Math.min(left, 16_000, room - 11, connectionRoom - 11);
    if (bytes > 0) {
      const payload = Buffer.concat([Buffer.from([10]), Buffer.alloc(bytes), Buffer.alloc(10)]);
      left -= bytes;
      wire.send(frame(TYPE.DATA, PADDED | (left === 0 ? END_STREAM : 0), 1, payload));
      room -= payload.length;
      connectionRoom -= payload.length;
    } else {
      const { streamId, payload } = await wire.frame(TYPE.WINDOW_UPDATE);
      if (streamId === 0) connectionRoom += payload.readUInt32BE(0);
      else room += payload.readUInt32BE(0);
    }
  }
  assert.equal((await wire.response(1)).body, '1000000');
});
