import { test } from 'node:test';
import {
  CODE,
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
  PRIORITY,
  priority,
  priorityUpdate,
  rstStream,
  SETTING,
  settings,
  TYPE,
  u32,
  WHOLE,
  windowUpdate,
} from '../../support/http2-frames.ts';
import { assertConnectionError, Http2Served } from './verdict.ts';

/** A block that is not complete after HEADERS. */
const OPEN = END_STREAM;
const HALF = frame(TYPE.HEADERS, OPEN, 1, '');

interface Case {
  /** What the client does wrong. */
  readonly what: string;
  readonly codes: readonly (keyof typeof CODE)[];
  readonly bytes: readonly Buffer[];
}

/** Each is a connection error (RFC 9113 §5.4.1), whatever else is under way. */
const cases: readonly Case[] = [
  { what: 'DATA on stream 0 (§6.1)', codes: ['PROTOCOL_ERROR'], bytes: [data(0, 'x')] },
  {
    what: 'DATA with more padding than payload (§6.1)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [headers(1, POST, END_HEADERS), frame(TYPE.DATA, PADDED | END_STREAM, 1, '\x06Test')],
  },
  {
    what: 'padded DATA without a pad length (§6.1)',
    codes: ['FRAME_SIZE_ERROR', 'PROTOCOL_ERROR'],
    bytes: [headers(1, POST, END_HEADERS), frame(TYPE.DATA, PADDED | END_STREAM, 1)],
  },
  { what: 'HEADERS on stream 0 (§6.2)', codes: ['PROTOCOL_ERROR'], bytes: [headers(0, GET)] },
  {
    what: 'HEADERS with more padding than payload (§6.2)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [frame(TYPE.HEADERS, WHOLE | PADDED, 1, '\xff\x82\x86\x84')],
  },
  {
    what: 'HEADERS whose priority fields are cut off (§6.2)',
    codes: ['FRAME_SIZE_ERROR'],
    bytes: [frame(TYPE.HEADERS, WHOLE | PRIORITY, 1, '\0\0\0\0')],
  },
  {
    what: 'HEADERS of a stream that depends on itself (RFC 7540 §5.3.1)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [frame(TYPE.HEADERS, WHOLE | PRIORITY, 1, Buffer.concat([u32(1), Buffer.from([255, 0x82])]))],
  },
  { what: 'PRIORITY on stream 0 (§6.3)', codes: ['PROTOCOL_ERROR'], bytes: [priority(0, 1)] },
  {
    what: 'PRIORITY of 4 octets on an idle stream (§6.3)',
    codes: ['FRAME_SIZE_ERROR'],
    bytes: [frame(2, 0, 1, 'abcd')],
  },
  {
    what: 'PRIORITY of a stream that depends on itself (RFC 7540 §5.3.1)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [priority(3, 3)],
  },
  { what: 'RST_STREAM on stream 0 (§6.4)', codes: ['PROTOCOL_ERROR'], bytes: [rstStream(0)] },
  { what: 'RST_STREAM on an idle stream (§6.4)', codes: ['PROTOCOL_ERROR'], bytes: [rstStream(1)] },
  {
    what: 'RST_STREAM of 3 octets (§6.4)',
    codes: ['FRAME_SIZE_ERROR'],
    bytes: [headers(1, POST, END_HEADERS), frame(TYPE.RST_STREAM, 0, 1, 'abc')],
  },
  { what: 'SETTINGS on a stream (§6.5)', codes: ['PROTOCOL_ERROR'], bytes: [frame(TYPE.SETTINGS, 0, 1)] },
  {
    what: 'an acknowledgement of SETTINGS with a payload (§6.5)',
    codes: ['FRAME_SIZE_ERROR'],
    bytes: [frame(TYPE.SETTINGS, 1, 0, '\0')],
  },
  { what: 'SETTINGS of 3 octets (§6.5)', codes: ['FRAME_SIZE_ERROR'], bytes: [frame(TYPE.SETTINGS, 0, 0, 'abc')] },
  { what: 'ENABLE_PUSH of 2 (§6.5.2)', codes: ['PROTOCOL_ERROR'], bytes: [settings([[SETTING.ENABLE_PUSH, 2]])] },
  {
    what: 'INITIAL_WINDOW_SIZE of 2³¹ (§6.5.2)',
    codes: ['FLOW_CONTROL_ERROR'],
    bytes: [settings([[SETTING.INITIAL_WINDOW_SIZE, 2 ** 31]])],
  },
  {
    what: 'MAX_FRAME_SIZE of 16 383 (§6.5.2)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [settings([[SETTING.MAX_FRAME_SIZE, 16_383]])],
  },
  {
    what: 'MAX_FRAME_SIZE of 2²⁴ (§6.5.2)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [settings([[SETTING.MAX_FRAME_SIZE, 2 ** 24]])],
  },
  {
    what: 'ENABLE_CONNECT_PROTOCOL of 2 (RFC 8441 §3)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [settings([[SETTING.ENABLE_CONNECT_PROTOCOL, 2]])],
  },
  {
    what: 'NO_RFC7540_PRIORITIES of 2 (RFC 9218 §2.1)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [settings([[SETTING.NO_RFC7540_PRIORITIES, 2]])],
  },
  { what: 'PUSH_PROMISE (§6.6, §8.4)', codes: ['PROTOCOL_ERROR'], bytes: [frame(TYPE.PUSH_PROMISE, 4, 1, u32(2))] },
  { what: 'PING on a stream (§6.7)', codes: ['PROTOCOL_ERROR'], bytes: [frame(TYPE.PING, 0, 1, '12345678')] },
  { what: 'PING of 6 octets (§6.7)', codes: ['FRAME_SIZE_ERROR'], bytes: [frame(TYPE.PING, 0, 0, '123456')] },
  {
    what: 'an acknowledged PING of 9 octets (§6.7)',
    codes: ['FRAME_SIZE_ERROR'],
    bytes: [frame(TYPE.PING, 1, 0, '123456789')],
  },
  {
    what: 'GOAWAY on a stream (§6.8)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [frame(TYPE.GOAWAY, 0, 1, Buffer.concat([u32(0), u32(0)]))],
  },
  { what: 'GOAWAY of 7 octets (§6.8)', codes: ['FRAME_SIZE_ERROR'], bytes: [frame(TYPE.GOAWAY, 0, 0, '1234567')] },
  { what: 'WINDOW_UPDATE of 0 for the connection (§6.9)', codes: ['PROTOCOL_ERROR'], bytes: [windowUpdate(0, 0)] },
  { what: 'WINDOW_UPDATE of 3 octets (§6.9)', codes: ['FRAME_SIZE_ERROR'], bytes: [frame(8, 0, 0, 'abc')] },
  { what: 'WINDOW_UPDATE on an idle stream (§5.1)', codes: ['PROTOCOL_ERROR'], bytes: [windowUpdate(1, 100)] },
  {
    what: 'WINDOW_UPDATE beyond 2³¹−1 for the connection (§6.9.1)',
    codes: ['FLOW_CONTROL_ERROR'],
    bytes: [windowUpdate(0, 2 ** 31 - 1), windowUpdate(0, 2 ** 31 - 1)],
  },
  {
    what: 'another frame within a header block: PRIORITY (§4.3, §6.10)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [HALF, priority(1, 0), continuation(1, GET)],
  },
  {
    what: 'another frame within a header block: HEADERS of another stream (§4.3)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [HALF, headers(3, GET)],
  },
  {
    what: 'another frame within a header block: DATA (§6.10)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [HALF, data(1, 'test')],
  },
  {
    what: 'another frame within a header block: one of an unknown type (§5.5)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [HALF, frame(0xff, 0, 0, 'unknown'), continuation(1, GET)],
  },
  {
    what: 'another frame within a header block: CONTINUATION of another stream (§6.10)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [HALF, continuation(3, GET)],
  },
  { what: 'CONTINUATION on stream 0 (§6.10)', codes: ['PROTOCOL_ERROR'], bytes: [HALF, continuation(0, GET)] },
  { what: 'CONTINUATION on an idle stream (§5.1)', codes: ['PROTOCOL_ERROR'], bytes: [continuation(1, GET)] },
  {
    what: 'CONTINUATION after HEADERS with END_HEADERS (§6.10)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [headers(1, POST, END_HEADERS), continuation(1, GET)],
  },
  {
    what: 'CONTINUATION after CONTINUATION with END_HEADERS (§6.10)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [frame(TYPE.HEADERS, 0, 1), continuation(1, POST), continuation(1, [])],
  },
  {
    what: 'CONTINUATION after DATA (§6.10)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [headers(1, POST, END_HEADERS), data(1, 'test', 0), continuation(1, [])],
  },
  { what: 'a stream with an even identifier (§5.1.1)', codes: ['PROTOCOL_ERROR'], bytes: [headers(2, GET)] },
  {
    what: 'a stream with a smaller identifier than the one before (§5.1.1)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [headers(5, GET), headers(3, GET)],
  },
  { what: 'DATA on an idle stream (§5.1)', codes: ['PROTOCOL_ERROR', 'STREAM_CLOSED'], bytes: [data(1, 'test')] },
  {
    what: 'HEADERS that are larger than MAX_FRAME_SIZE (§4.2)',
    codes: ['FRAME_SIZE_ERROR'],
    bytes: [headers(1, [...GET, ['x', 'x'.repeat(16_384)]])],
  },
  {
    what: 'DATA that are larger than MAX_FRAME_SIZE (§4.2)',
    codes: ['FRAME_SIZE_ERROR'],
    bytes: [headers(1, POST, END_HEADERS), data(1, 'x'.repeat(16_385))],
  },
  {
    what: 'PRIORITY_UPDATE on a stream (RFC 9218 §7.1)',
    codes: ['PROTOCOL_ERROR'],
    bytes: [frame(TYPE.PRIORITY_UPDATE, 0, 1, u32(1))],
  },
  { what: 'PRIORITY_UPDATE of stream 0 (RFC 9218 §7.1)', codes: ['PROTOCOL_ERROR'], bytes: [priorityUpdate(0, 'u=1')] },
  {
    what: 'PRIORITY_UPDATE of 3 octets (RFC 9218 §7.1)',
    codes: ['FRAME_SIZE_ERROR'],
    bytes: [frame(TYPE.PRIORITY_UPDATE, 0, 0, 'abc')],
  },
];

for (const { what, codes, bytes } of cases) {
  test(`${what} ends the connection with ${codes.join(' or ')}`, async (t) => {
    const on = await Http2Served.start(t);
    const wire = await on.open();
    wire.send(...bytes);
    await assertConnectionError(wire, ...codes);
    await on.served.closedFor('protocol-error');
    await on.empty();
  });
}

test('a wrong connection preface ends the connection (RFC 9113 §3.4)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.connect();
  wire.send(Buffer.from('INVALID CONNECTION PREFACE\r\n\r\n'));
  await assertConnectionError(wire, 'PROTOCOL_ERROR');
});

test('a first frame other than SETTINGS ends the connection (RFC 9113 §3.4)', async (t) => {
  const on = await Http2Served.start(t);
  const firsts = [
    headers(1, GET),
    frame(TYPE.SETTINGS, 1, 0),
    frame(TYPE.PING, 0, 0, '12345678'),
    goaway(0, CODE.NO_ERROR),
  ];
  for (const first of firsts) {
    const wire = await on.connect();
    wire.send(PREFACE, first);
    await assertConnectionError(wire, 'PROTOCOL_ERROR');
  }
});

test('the GOAWAY of a connection error names the last stream that was taken, and what ran is cut off (RFC 9113 §5.4.1)', async (t) => {
  const gone: string[] = [];
  const on = await Http2Served.start(t, (request) => {
    request.onAbort(({ code }) => gone.push(`${request.target} ${code}`));
    return new Promise(() => undefined);
  });
  const wire = await on.open();
  wire.send(headers(1, GET), headers(7, GET), frame(TYPE.PING, 0, 0, 'short'));
  const { payload } = await assertConnectionError(wire, 'FRAME_SIZE_ERROR');
  if (payload.readUInt32BE(0) !== 7) throw new Error('not the last stream');
  await on.served.closedFor('protocol-error');
  await on.empty();
});
