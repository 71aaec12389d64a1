import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderFields } from '../../../src/core/headers.ts';
import {
  block,
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
  ping,
  request,
  rstStream,
  SETTING,
  settings,
  TYPE,
  u32,
  WHOLE,
} from '../../support/http2-frames.ts';
import { Http2Served } from './verdict.ts';

const echo = async (received: { text(): Promise<string> }) => ({ status: 200, body: await received.text() });

/** Requests in all the forms that frames allow, each of which is answered with its body. */
const forms: readonly (readonly [what: string, body: string, bytes: readonly Buffer[]])[] = [
  ['in one HEADERS frame (§6.2)', '', [headers(1, GET)]],
  [
    'with padding and priority fields in HEADERS (§6.2)',
    '',
    [
      frame(
        TYPE.HEADERS,
        WHOLE | PADDED | PRIORITY,
        1,
        Buffer.concat([Buffer.from([3]), u32(0), Buffer.from([255]), block(GET), Buffer.alloc(3)]),
      ),
    ],
  ],
  [
    'with an exclusive dependency on a stream that never was (RFC 7540 §5.3)',
    '',
    [frame(TYPE.HEADERS, WHOLE | PRIORITY, 1, Buffer.concat([u32(0x8000_0063), Buffer.from([1]), block(GET)]))],
  ],
  [
    'in HEADERS and several CONTINUATION (§6.10)',
    '',
    [
      headers(1, GET.slice(0, 1), END_STREAM),
      continuation(1, GET.slice(1, 3), 0),
      continuation(1, GET.slice(3), 0),
      continuation(1, [['x', 'y']]),
    ],
  ],
  [
    'with a block that is cut within a field line (§4.3)',
    '',
    [
      frame(TYPE.HEADERS, END_STREAM, 1, block(GET).subarray(0, 5)),
      frame(TYPE.CONTINUATION, END_HEADERS, 1, block(GET).subarray(5)),
    ],
  ],
  ['with a body (§6.1)', 'test', [headers(1, POST, END_HEADERS), data(1, 'test')]],
  [
    'with a body in several frames, one of them empty (§6.1)',
    'test',
    [headers(1, POST, END_HEADERS), data(1, 'te', 0), data(1, '', 0), data(1, 'st', 0), data(1, '')],
  ],
  [
    'with padding in DATA (§6.1)',
    'test',
    [headers(1, POST, END_HEADERS), frame(TYPE.DATA, PADDED | END_STREAM, 1, '\x06test\0\0\0\0\0\0')],
  ],
  [
    'with DATA that are all padding (§6.1)',
    'test',
    [headers(1, POST, END_HEADERS), frame(TYPE.DATA, PADDED, 1, '\x02\0\0'), data(1, 'test')],
  ],
  [
    'with DATA of the largest size (§4.2)',
    'x'.repeat(16_384),
    [headers(1, POST, END_HEADERS), data(1, 'x'.repeat(16_384))],
  ],
  ['with trailers (§8.1)', 'test', [headers(1, POST, END_HEADERS), data(1, 'test', 0), headers(1, [['sum', '4']])]],
  ['with trailers and no DATA (§8.1)', '', [headers(1, POST, END_HEADERS), headers(1, [['sum', '4']])]],
];

for (const [what, body, bytes] of forms) {
  test(`a request ${what} is answered`, async (t) => {
    const on = await Http2Served.start(t, echo);
    const wire = await on.open();
    wire.send(...bytes);
    const response = await wire.response(1);
    assert.deepEqual([response.status, response.body, response.reset], [200, body, null]);
    await on.empty();
  });
}

/** Frames that mean nothing: what follows is answered. */
const ignored: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['a frame of an unknown type (§5.5)', frame(0x16, 0, 0, 'unknown')],
  ['a frame of an unknown type on a stream that is idle (§5.5)', frame(0xee, 0xff, 99, 'unknown')],
  ['an unknown setting (§6.5.2)', settings([[0xff, 1]])],
  ['an acknowledgement of SETTINGS that nobody waits for', frame(TYPE.SETTINGS, 1, 0)],
  ['an acknowledgement of a PING that nobody has sent (§6.7)', frame(TYPE.PING, 1, 0, 'invalid!')],
  ['GOAWAY with an unknown code (§7)', goaway(0, 0xff)],
  ['a reserved bit before the stream identifier (§4.1)', frame(TYPE.PING, 0, 0x8000_0000, 'reserved')],
  ['flags that mean nothing (§4.1)', frame(TYPE.PING, 0x16, 0, 'flagged!')],
];

for (const [what, bytes] of ignored) {
  test(`${what} is ignored (RFC 9113)`, async (t) => {
    const on = await Http2Served.start(t);
    const wire = await on.open();
    wire.send(bytes, headers(1, GET));
    assert.equal((await wire.response(1)).body, 'hello');
    await on.empty();
  });
}

test('SETTINGS are the first frame of the server, and say what differs from the start values (RFC 9113 §3.4)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.connect();
  await wire.frame(TYPE.SETTINGS);
  assert.deepEqual(wire.unread, []);
  wire.send(PREFACE, settings());
  const { flags, payload } = await wire.frame(TYPE.SETTINGS);
  assert.deepEqual([flags, payload.length], [1, 0], 'the acknowledgement');
});

test('the preface and a request may come before the server has said anything (RFC 9113 §3.4)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.connect();
  wire.send(PREFACE, settings([[SETTING.ENABLE_PUSH, 0]]), headers(1, GET));
  assert.equal((await wire.response(1)).body, 'hello');
});

test('PING is answered with its eight octets, in order (RFC 9113 §6.7)', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open();
  wire.send(ping('12345678'), ping('\xff\0\xfe\x80abcd'));
  for (const opaque of ['12345678', '\xff\0\xfe\x80abcd']) {
    const { flags, payload } = await wire.frame(TYPE.PING);
    assert.deepEqual([flags, payload.toString('latin1')], [1, opaque]);
  }
});

test('HEAD is answered with the length and without DATA; 204 and 304 have none either (RFC 9110 §6.4.1)', async (t) => {
  const on = await Http2Served.start(t, ({ target }) => ({ status: Number(target.slice(1)), body: 'hello' }));
  const wire = await on.open();
  wire.send(
    headers(1, request({ ':method': 'HEAD', ':path': '/200' })),
    headers(3, request({ ':path': '/204' })),
    headers(5, request({ ':path': '/304' })),
  );
  const head = await wire.response(1);
  assert.deepEqual([head.status, head.get('content-length'), head.body], [200, '5', '']);
  for (const [id, status] of [
    [3, 204],
    [5, 304],
  ] as const) {
    const response = await wire.response(id);
    assert.deepEqual([response.status, response.body, response.get('content-length')], [status, '', null]);
  }
});

test('a response has lower-case names, a date, and nothing that belongs to one HTTP/1.1 connection (RFC 9113 §8.2)', async (t) => {
  const on = await Http2Served.start(t, () => ({
    status: 200,
    headers: {
      'X-Upper': 'Yes',
      connection: 'keep-alive, x-hop',
      'x-hop': '1',
      'keep-alive': 'timeout=5',
      'transfer-encoding': 'chunked',
    },
    body: 'é',
  }));
  const wire = await on.open();
  wire.send(headers(1, GET));
  const { fields } = await wire.response(1);
  assert.deepEqual(fields, [
    [':status', '200'],
    ['x-upper', 'Yes'],
    ['date', 'Thu, 01 Jan 2026 00:00:00 GMT'],
    ['content-length', '2'],
  ]);
});

test('trailers and informational responses are sent where the handler has them (RFC 9113 §8.1)', async (t) => {
  const on = await Http2Served.start(t, (received) => {
    received.inform({ status: 103, headers: { link: '</a.css>; rel=preload' } });
    async function* body(): AsyncGenerator<string> {
      yield 'one';
      yield 'two';
    }
    return { status: 200, body: body(), trailers: () => HeaderFields.from({ Sum: '6' }) };
  });
  const wire = await on.open();
  wire.send(headers(1, GET));
  const response = await wire.response(1);
  assert.deepEqual([response.informational, response.status, response.body], [[103], 200, 'onetwo']);
  assert.deepEqual(response.trailers, [['sum', '6']]);
});

test('100 Continue is sent when the handler wants the body, and not when it answers without it (RFC 9110 §10.1.1)', async (t) => {
  const on = await Http2Served.start(
    t,
    async (received) => {
      if (received.target === '/no') return { status: 403 };
      return { status: 200, body: await received.text() };
    },
    { body: 'manual' },
  );
  const wire = await on.open();
  const expecting = (path: string) =>
    request({ ':method': 'POST', ':path': path }, [
      ['expect', '100-continue'],
      ['content-length', '4'],
    ]);
  wire.send(headers(1, expecting('/yes'), END_HEADERS), headers(3, expecting('/no'), END_HEADERS));
  await wire.sees(({ streamId, fields }) => streamId === 1 && fields !== null, '100');
  wire.send(data(1, 'test'));
  const taken = await wire.response(1);
  assert.deepEqual([taken.informational, taken.status, taken.body], [[100], 200, 'test']);
  await wire.settled();
  const refused = wire.collect(3);
  assert.deepEqual([refused.informational, refused.status, refused.reset], [[], 403, CODE.NO_ERROR]);
});

test('what becomes ready in one turn leaves in one write: the answers to many requests arrive in one read', async (t) => {
  const on = await Http2Served.start(t);
  const wire = await on.open();
  const ids = Array.from({ length: 50 }, (_, index) => 2 * index + 1);
  const { readCount } = wire;
  wire.send(...ids.map((id) => headers(id, GET)));
  for (const id of ids) assert.equal((await wire.response(id)).body, 'hello');
  assert.equal(wire.readCount - readCount, 1);
});

test('a header block of a response that is larger than a frame comes in CONTINUATION frames (RFC 9113 §4.3)', async (t) => {
  const on = await Http2Served.start(t, () => ({
    status: 200,
    headers: { x: '<'.repeat(40_000) },
  }));
  const wire = await on.open();
  wire.send(headers(1, GET));
  await wire.sees(({ fields }) => fields !== null, 'the head');
  const sizes = wire.unread.map(({ payload }) => payload.length);
  assert.ok(sizes.length > 2 && sizes.every((size) => size <= 16_384), String(sizes));
  assert.equal(wire.collect(1).get('x')?.length, 40_000);
});

test('RST_STREAM on a stream leaves the others alone (RFC 9113 §5.4.2)', async (t) => {
  const on = await Http2Served.start(t, ({ target }) =>
    target === '/' ? new Promise(() => undefined) : { status: 200, body: 'b' },
  );
  const wire = await on.open();
  wire.send(headers(1, GET), rstStream(1), headers(3, request({ ':path': '/b' })));
  assert.equal((await wire.response(3)).body, 'b');
  await on.served.doing('idle');
});
