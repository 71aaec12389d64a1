import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CODE,
  continuation,
  data,
  END_HEADERS,
  frame,
  GET,
  headers,
  POST,
  priority,
  rstStream,
  SETTING,
  TYPE,
  windowUpdate,
} from '../../support/http2-frames.ts';
import type { Http2Wire } from '../../support/http2-wire.ts';
import { assertConnectionError, assertStreamError, Http2Served } from './verdict.ts';

/** Makes stream 1 what the name says, from the client's view. */
const into = {
  async open(wire: Http2Wire): Promise<void> {
    wire.send(headers(1, POST, END_HEADERS));
    await wire.settled();
  },
  /** The client has ended its side; the window is shut, so that the server's side stays open. */
  async 'half-closed (remote)'(wire: Http2Wire): Promise<void> {
    wire.send(headers(1, GET));
    await wire.settled();
  },
  /** Both sides have ended. */
  async closed(wire: Http2Wire): Promise<void> {
    wire.send(headers(1, GET), windowUpdate(1, 1000));
    assert.equal((await wire.response(1)).body, 'hello');
  },
  async 'closed by RST_STREAM'(wire: Http2Wire): Promise<void> {
    wire.send(headers(1, POST, END_HEADERS), rstStream(1));
    await wire.settled();
  },
} as const;

type State = keyof typeof into;
const WINDOW_SHUT = [[SETTING.INITIAL_WINDOW_SIZE, 0]] as const;

interface Case {
  readonly state: State;
  readonly what: string;
  readonly bytes: Buffer;
  readonly codes: readonly (keyof typeof CODE)[];
  readonly scope: 'stream' | 'connection';
}

/** Frames that a stream in this state does not take (RFC 9113 §5.1). */
const errors: readonly Case[] = [
  { state: 'half-closed (remote)', what: 'DATA', bytes: data(1, 'test'), codes: ['STREAM_CLOSED'], scope: 'stream' },
  { state: 'half-closed (remote)', what: 'HEADERS', bytes: headers(1, GET), codes: ['STREAM_CLOSED'], scope: 'stream' },
  {
    state: 'half-closed (remote)',
    what: 'HEADERS without END_STREAM',
    bytes: headers(1, GET, END_HEADERS),
    codes: ['STREAM_CLOSED'],
    scope: 'stream',
  },
  {
    state: 'half-closed (remote)',
    what: 'CONTINUATION',
    bytes: continuation(1, GET),
    codes: ['STREAM_CLOSED', 'PROTOCOL_ERROR'],
    scope: 'connection',
  },
  { state: 'closed by RST_STREAM', what: 'DATA', bytes: data(1, 'test'), codes: ['STREAM_CLOSED'], scope: 'stream' },
  { state: 'closed by RST_STREAM', what: 'HEADERS', bytes: headers(1, GET), codes: ['STREAM_CLOSED'], scope: 'stream' },
  {
    state: 'closed by RST_STREAM',
    what: 'CONTINUATION',
    bytes: continuation(1, GET),
    codes: ['STREAM_CLOSED', 'PROTOCOL_ERROR'],
    scope: 'connection',
  },
  { state: 'closed', what: 'DATA', bytes: data(1, 'test'), codes: ['STREAM_CLOSED'], scope: 'connection' },
  { state: 'closed', what: 'HEADERS', bytes: headers(1, GET), codes: ['STREAM_CLOSED'], scope: 'connection' },
  {
    state: 'closed',
    what: 'CONTINUATION',
    bytes: continuation(1, GET),
    codes: ['STREAM_CLOSED', 'PROTOCOL_ERROR'],
    scope: 'connection',
  },
  {
    state: 'open',
    what: 'HEADERS without END_STREAM in the middle of the body (§8.1)',
    bytes: headers(1, [['x', 'y']], END_HEADERS),
    codes: ['PROTOCOL_ERROR'],
    scope: 'stream',
  },
  {
    state: 'open',
    what: 'PRIORITY of 4 octets (§6.3)',
    bytes: frame(TYPE.PRIORITY, 0, 1, 'abcd'),
    codes: ['FRAME_SIZE_ERROR'],
    scope: 'stream',
  },
  {
    state: 'open',
    what: 'WINDOW_UPDATE of 0 (§6.9)',
    bytes: windowUpdate(1, 0),
    codes: ['PROTOCOL_ERROR'],
    scope: 'stream',
  },
  {
    state: 'open',
    what: 'WINDOW_UPDATE beyond 2³¹−1 (§6.9.1)',
    bytes: Buffer.concat([windowUpdate(1, 2 ** 31 - 1), windowUpdate(1, 2 ** 31 - 1)]),
    codes: ['FLOW_CONTROL_ERROR'],
    scope: 'stream',
  },
];

for (const { state, what, bytes, codes, scope } of errors) {
  test(`a stream that is ${state}: ${what} is a ${scope} error ${codes.join(' or ')} (RFC 9113 §5.1)`, async (t) => {
    const on = await Http2Served.start(t);
    const wire = await on.open(WINDOW_SHUT);
    await into[state](wire);
    wire.send(bytes);
    if (scope === 'stream') await assertStreamError(wire, 1, ...codes);
    else await assertConnectionError(wire, ...codes);
    await on.empty();
  });
}

/** Frames that mean nothing, or no harm, in this state. */
const harmless: readonly { readonly state: State | 'idle'; readonly what: string; readonly bytes: Buffer }[] = [
  { state: 'idle', what: 'PRIORITY', bytes: priority(1, 0) },
  { state: 'half-closed (remote)', what: 'PRIORITY', bytes: priority(1, 0) },
  { state: 'half-closed (remote)', what: 'RST_STREAM', bytes: rstStream(1) },
  { state: 'half-closed (remote)', what: 'RST_STREAM with an unknown code (§7)', bytes: rstStream(1, 0xff) },
  { state: 'closed', what: 'PRIORITY', bytes: priority(1, 0) },
  { state: 'closed', what: 'WINDOW_UPDATE', bytes: windowUpdate(1, 1) },
  { state: 'closed', what: 'RST_STREAM', bytes: rstStream(1) },
  { state: 'closed by RST_STREAM', what: 'PRIORITY', bytes: priority(1, 0) },
  { state: 'closed by RST_STREAM', what: 'WINDOW_UPDATE', bytes: windowUpdate(1, 1) },
];

for (const { state, what, bytes } of harmless) {
  test(`a stream that is ${state}: ${what} does no harm (RFC 9113 §5.1)`, async (t) => {
    const on = await Http2Served.start(t);
    const wire = await on.open(WINDOW_SHUT);
    if (state !== 'idle') await into[state](wire);
    wire.send(bytes, headers(5, GET), windowUpdate(5, 100));
    assert.equal((await wire.response(5)).body, 'hello');
    await wire.settled();
    await on.empty();
  });
}

test('WINDOW_UPDATE lets a half-closed stream go on (RFC 9113 §5.1)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open(WINDOW_SHUT);
  await into['half-closed (remote)'](wire);
  wire.send(windowUpdate(1, 5));
  assert.equal((await wire.response(1)).body, 'hello');
});

test('what was under way to a stream that the server has reset means nothing (RFC 9113 §5.1)', async (t) => {
  const on = await Http2Served.start(t, () => ({ status: 200, body: 'early' }), { body: 'manual' });
  const wire = await on.open();
  wire.send(headers(1, POST, END_HEADERS));
  await wire.sees(({ type }) => type === TYPE.RST_STREAM, 'RST_STREAM');
  const { body, reset } = await wire.response(1);
  assert.deepEqual([body, reset], ['early', CODE.NO_ERROR]);
  wire.send(data(1, 'x', 0), windowUpdate(1, 1), headers(1, [['x', 'y']]), rstStream(1));
  await wire.settled();
});

test('as much as its window has let go may come of a stream that the server has reset, and not a byte more', async (t) => {
  const on = await Http2Served.start(t, () => ({ status: 200, body: 'early' }), {
    body: 'manual',
    http2: { streamMaxCount: 1 },
  });
  const wire = await on.open(WINDOW_SHUT);
  // The first one holds its place: the second is refused, and the first is answered and reset after it.
  wire.send(headers(1, POST, END_HEADERS), data(1, Buffer.alloc(15_535), 0), headers(3, POST, END_HEADERS));
  await wire.frame(TYPE.RST_STREAM, ({ streamId }) => streamId === 3);
  wire.send(windowUpdate(1, 5));
  await wire.frame(TYPE.RST_STREAM, ({ streamId }) => streamId === 1);
  for (let count = 0; count < 5; count += 1)
    wire.send(data(1, Buffer.alloc(10_000), 0), data(3, Buffer.alloc(13_107), 0));
  await wire.settled();
  wire.send(data(3, 'x', 0));
  await assertConnectionError(wire, 'FLOW_CONTROL_ERROR');

  const other = await on.open();
  other.send(headers(1, POST, END_HEADERS), data(1, Buffer.alloc(15_535), 0));
  await other.frame(TYPE.RST_STREAM);
  for (let count = 0; count < 5; count += 1) other.send(data(1, Buffer.alloc(10_000), 0));
  await other.settled();
  other.send(data(1, 'x', 0));
  await assertConnectionError(other, 'FLOW_CONTROL_ERROR');
});

test('one stream more than MAX_CONCURRENT_STREAMS is refused (RFC 9113 §5.1.2)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open(WINDOW_SHUT);
  const ids = Array.from({ length: 129 }, (_, index) => 2 * index + 1);
  wire.send(...ids.map((id) => headers(id, GET)));
  await assertStreamError(wire, 257, 'REFUSED_STREAM', 'PROTOCOL_ERROR');
  wire.send(...ids.map((id) => windowUpdate(id, 5)));
  for (const id of ids.slice(0, 128)) assert.equal((await wire.response(id)).body, 'hello');
  wire.send(headers(259, GET), windowUpdate(259, 5));
  assert.equal((await wire.response(259)).body, 'hello', 'there is room again');
});

test('identifiers may be passed over (RFC 9113 §5.1.1)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open();
  wire.send(headers(13, GET), headers(101, GET), priority(7, 0));
  await wire.response(13);
  assert.equal((await wire.response(101)).body, 'hello');
  await wire.settled();
});
