import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IncomingBody } from '../../../src/core/body.ts';
import { HeaderFields } from '../../../src/core/headers.ts';
import {
  CODE,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  type Field,
  frame,
  headers,
  SETTING,
  settings,
  TYPE,
  u32,
  WHOLE,
} from '../../support/http2-frames.ts';
import { arrivingBody } from '../../support/request.ts';
import { turns, until } from '../../upstream/scripted.ts';
import { Http2Pair, resetOf, status } from './client-peer.ts';

const OK = headers(1, status(200));

test('the connection begins with the preface, SETTINGS without push, and windows that do not wait for round trips (RFC 9113 §3.4)', async () => {
  await using pair = await Http2Pair.open({ announced: null });
  const first = await pair.server.frame(TYPE.SETTINGS);
  const entries = new Map<number, number>();
  for (let at = 0; at < first.payload.length; at += 6) {
    entries.set(first.payload.readUInt16BE(at), first.payload.readUInt32BE(at + 2));
  }
  assert.equal(entries.get(SETTING.ENABLE_PUSH), 0);
  assert.equal(entries.get(SETTING.INITIAL_WINDOW_SIZE), undefined, 'a stream begins with what the RFC has');
  assert.equal(entries.get(SETTING.MAX_CONCURRENT_STREAMS), undefined, 'there is nothing that a server could open');
  const window = await pair.server.frame(TYPE.WINDOW_UPDATE);
  assert.deepEqual([window.streamId, window.payload.readUInt32BE(0)], [0, 4_194_304 - 65_535]);
});

test('a request leaves with pseudo-fields first, names in lower case and its length, body and end in one read', async () => {
  await using pair = await Http2Pair.open();
  const answer = pair.send({
    method: 'POST',
    target: '/a%2Fb?c',
    headers: HeaderFields.from({ 'X-One': '1' }),
    body: Buffer.from('hello'),
  });
  const head = await pair.server.frame(TYPE.HEADERS);
  assert.deepEqual(head.fields, [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/a%2Fb?c'],
    [':authority', 'example.com'],
    ['te', 'trailers'],
    ['content-length', '5'],
    ['x-one', '1'],
  ]);
  const body = await pair.server.frame(TYPE.DATA);
  assert.deepEqual([body.payload.toString(), body.flags], ['hello', END_STREAM]);
  pair.server.send(headers(1, status(201), END_HEADERS), data(1, 'ok'));
  await answer.come();
  assert.deepEqual([answer.status, answer.protocol], [201, 'HTTP/2']);
  assert.ok(answer.body instanceof Uint8Array, 'a body that came with its head is whole');
  assert.equal(await answer.text(), 'ok');
  assert.equal(pair.freeCount, 1);
});

test('a request without a body ends with its head; one that anticipates content says that there is none (RFC 9110 §8.6)', async () => {
  await using pair = await Http2Pair.open();
  pair.send({ method: 'DELETE' });
  pair.send({ method: 'PUT' });
  for (const expected of [null, '0']) {
    const { fields, flags } = await pair.server.frame(TYPE.HEADERS);
    assert.equal(flags & END_STREAM, END_STREAM);
    assert.equal(fields?.find(([name]) => name === 'content-length')?.[1] ?? null, expected);
  }
});

test('what repeats in requests is sent in a few bytes, and is the same to the server', async () => {
  await using pair = await Http2Pair.open();
  const more = HeaderFields.from({ 'user-agent': 'a program with a long name', 'x-tenant': 'one of many tenants' });
  const sizes: number[] = [];
  for (let i = 0; i < 4; i += 1) {
    pair.send({ headers: more });
    const { fields, payload } = await pair.server.frame(TYPE.HEADERS);
    sizes.push(payload.length);
    assert.deepEqual(fields?.slice(5), [...more]);
  }
  assert.ok((sizes[0] ?? 0) > 50 && (sizes[3] ?? 0) < 12, sizes.join(' '));
  // What the table holds has moved on when the first ones come again.
  for (const fields of [HeaderFields.from({ 'x-other': 'a value that is kept' }), more]) {
    pair.send({ headers: fields });
    assert.deepEqual((await pair.server.frame(TYPE.HEADERS)).fields?.slice(5), [...fields]);
  }
  pair.send({ headers: more, authority: 'other.example' });
  assert.deepEqual((await pair.server.frame(TYPE.HEADERS)).fields?.slice(5), [...more]);
});

test('the same octets are another head when the table of the server has changed (RFC 7541 §2.3.2)', async () => {
  await using pair = await Http2Pair.open();
  const kept = (value: string): Buffer => Buffer.from(`\x88\x40\x03x-a\x01${value}`, 'latin1');
  const indexed = Buffer.from([0x88, 0xbe]);
  const values: (string | null)[] = [];
  for (const [i, block] of [kept('1'), indexed, indexed, kept('2'), indexed].entries()) {
    const answer = await pair.exchange({}, frame(TYPE.HEADERS, WHOLE, 2 * i + 1, block));
    values.push(answer.headers.get('x-a'));
  }
  assert.deepEqual(values, ['1', '1', '1', '2', '2']);
});

test('many requests are under way at once, and their answers come in any order, also interleaved', async () => {
  await using pair = await Http2Pair.open();
  const answers = Array.from({ length: 3 }, (_, i) => pair.send({ target: `/${i}` }));
  await pair.server.frame(TYPE.HEADERS, ({ streamId }) => streamId === 5);
  assert.equal(pair.connection.life.liveCount, 3);
  pair.server.send(headers(5, status(200), END_HEADERS), headers(1, status(200), END_HEADERS));
  pair.server.send(data(5, 'fi', 0), data(1, 'one'), data(5, 've'));
  pair.server.send(headers(3, status(204)));
  assert.deepEqual(await Promise.all(answers.map((answer) => answer.text())), ['one', '', 'five']);
  assert.equal(pair.connection.life.liveCount, 0);
  assert.equal(pair.freeCount, 3);
  assert.ok(pair.connection.reused);
});

test('no more streams are open than the server allows; it is free when one ends, and when the limit is raised (RFC 9113 §5.1.2)', async () => {
  await using early = await Http2Pair.open({ announced: null });
  assert.equal(early.connection.availableCount, 100, 'what a server should take at least, until it has said otherwise');
  await using pair = await Http2Pair.open({ announced: [[SETTING.MAX_CONCURRENT_STREAMS, 2]] });
  assert.equal(pair.connection.availableCount, 2);
  const answer = await pair.asked();
  await pair.asked();
  assert.equal(pair.connection.availableCount, 0);
  pair.server.send(OK);
  await answer.come();
  assert.deepEqual([pair.connection.availableCount, pair.freeCount], [1, 1]);
  pair.server.send(settings([[SETTING.MAX_CONCURRENT_STREAMS, 5]]));
  await until(() => pair.freeCount === 2);
  assert.equal(pair.connection.availableCount, 4);
  pair.server.send(settings([[SETTING.MAX_CONCURRENT_STREAMS, 0]]));
  await until(() => pair.freeCount === 3);
  assert.equal(pair.connection.availableCount, 0);
});

test('an answer that comes in parts is a body that is read as it comes, and ends with its trailers (RFC 9113 §8.1)', async () => {
  await using pair = await Http2Pair.open();
  const answer = await pair.exchange({}, headers(1, status(200, ['content-length', '5']), END_HEADERS));
  const { body } = answer;
  assert.ok(body instanceof IncomingBody);
  assert.equal(body.lengthBytes, 5);
  pair.server.send(data(1, 'abc', 0), data(1, 'de', 0), headers(1, [['x-sum', '5']]));
  assert.equal(await answer.text(), 'abcde');
  assert.equal(body.trailers?.get('x-sum'), '5');
});

test('trailers that came with all the rest are not lost', async () => {
  await using pair = await Http2Pair.open();
  const answer = await pair.exchange(
    {},
    headers(1, status(200), END_HEADERS),
    data(1, 'abc', 0),
    headers(1, [['x-sum', '3']]),
  );
  assert.ok(answer.body instanceof IncomingBody && answer.body.complete);
  assert.equal(await answer.text(), 'abc');
  assert.equal(answer.body.trailers?.get('x-sum'), '3');
});

test('a head in pieces is one head (RFC 9113 §6.10)', async () => {
  await using pair = await Http2Pair.open();
  const answer = await pair.exchange(
    {},
    headers(1, status(200, ['x-a', '1']), END_STREAM),
    continuation(1, [['x-b', '2']], 0),
    continuation(1, [['x-c', '3']]),
  );
  assert.equal(answer.headers.text, 'x-a: 1\r\nx-b: 2\r\nx-c: 3\r\n');
});

test('informational answers are told, and are not the answer (RFC 9110 §15.2)', async () => {
  await using pair = await Http2Pair.open();
  const answer = await pair.exchange(
    {},
    headers(1, status(103, ['link', '</a>']), END_HEADERS),
    headers(1, status(102), END_HEADERS),
    OK,
  );
  assert.deepEqual(answer.informed, [103, 102]);
  assert.equal(answer.status, 200);
});

test('101 does not exist in HTTP/2 (RFC 9113 §8.6)', async () => {
  await using pair = await Http2Pair.open();
  assert.equal((await pair.exchange({}, headers(1, status(101), END_HEADERS))).code(), 'upstream-invalid');
});

test('answers to HEAD, 204 and 304 have no body whatever their fields say (RFC 9110 §6.4.1)', async () => {
  await using pair = await Http2Pair.open();
  let id = 1;
  for (const [method, code] of [
    ['HEAD', 200],
    ['GET', 204],
    ['GET', 304],
  ] as const) {
    for (const endStream of [true, false]) {
      const head = headers(id, status(code, ['content-length', '7']), END_HEADERS | (endStream ? END_STREAM : 0));
      const answer = await pair.exchange({ method }, head);
      assert.equal(answer.body, null);
      assert.equal(answer.headers.get('content-length'), '7');
      if (!endStream) pair.server.send(data(id, ''));
      id += 2;
    }
  }
  await until(() => pair.freeCount === 6);
});

const MALFORMED: readonly (readonly [string, readonly Field[]])[] = [
  ['no status', [['x-a', '1']]],
  ['a status that is none', [[':status', '99']]],
  ['a status of four digits', [[':status', '2000']]],
  [
    'two statuses',
    [
      [':status', '200'],
      [':status', '200'],
    ],
  ],
  [
    'a status after a regular field',
    [
      ['x-a', '1'],
      [':status', '200'],
    ],
  ],
  ['a pseudo-field of requests', status(200, [':path', '/'])],
  ['an unknown pseudo-field', status(200, [':x', '1'])],
  ['an upper-case name', status(200, ['X-A', '1'])],
  ['a field of the connection', status(200, ['connection', 'close'])],
  ['a transfer coding', status(200, ['transfer-encoding', 'chunked'])],
  ['a line break in a value', status(200, ['x-a', '1\r\nx-b: 2'])],
  ['a NUL in a value', status(200, ['x-a', '1\0'])],
  ['a space around a value', status(200, ['x-a', ' 1'])],
  ['two lengths', status(200, ['content-length', '1'], ['content-length', '2'])],
  ['a length that is none', status(200, ['content-length', '+1'])],
  ['a length, and the end', status(200, ['content-length', '1'])],
  ['an informational answer that ends', status(103)],
];

test('a malformed answer is no answer, ends its stream, and harms no other (RFC 9113 §8.1.1)', async () => {
  await using pair = await Http2Pair.open();
  let id = 1;
  for (const [what, fields] of MALFORMED) {
    const answer = await pair.exchange({}, headers(id, fields));
    assert.equal(answer.code(), 'upstream-invalid', what);
    assert.equal(await resetOf(pair.server, id), CODE.PROTOCOL_ERROR, what);
    id += 2;
  }
  assert.equal(pair.connection.life.phase, 'accepting');
  assert.equal((await pair.exchange({}, headers(id, status(200)))).status, 200);
});

test('a body that does not fit its length, or comes before a head, is malformed (RFC 9113 §8.1.1)', async () => {
  await using pair = await Http2Pair.open();
  const five = status(200, ['content-length', '5']);
  const long = await pair.exchange({}, headers(1, five, END_HEADERS));
  pair.server.send(data(1, 'abcdef', 0));
  await assert.rejects(long.text(), { code: 'upstream-invalid' });
  assert.equal(await resetOf(pair.server, 1), CODE.PROTOCOL_ERROR);
  const cases: readonly (readonly [id: number, method: string, ...bytes: Uint8Array[]])[] = [
    [3, 'GET', headers(3, five, END_HEADERS), data(3, 'abc')],
    [5, 'GET', data(5, 'abc', 0)],
    [7, 'HEAD', headers(7, status(200), END_HEADERS), data(7, 'abc')],
  ];
  for (const [id, method, ...bytes] of cases) {
    assert.equal((await pair.exchange({ method }, ...bytes)).code(), 'upstream-invalid');
    assert.equal(await resetOf(pair.server, id), CODE.PROTOCOL_ERROR);
  }
  assert.equal((await pair.exchange({}, data(9, ''))).code(), 'upstream-invalid', 'an end without a head');
  assert.equal(pair.connection.life.phase, 'accepting');
});

test('trailers with a pseudo-field, or without an end, are malformed (RFC 9113 §8.1)', async () => {
  await using pair = await Http2Pair.open();
  const pseudo = await pair.exchange({}, headers(1, status(200), END_HEADERS));
  pair.server.send(headers(1, status(200)));
  await assert.rejects(pseudo.text(), { code: 'upstream-invalid' });
  const endless = await pair.exchange({}, headers(3, status(200), END_HEADERS));
  pair.server.send(headers(3, [['x-a', '1']], END_HEADERS));
  await assert.rejects(endless.text(), { code: 'upstream-invalid' });
});

test('a head over the limit is not taken, whether in lines or in bytes', async () => {
  await using pair = await Http2Pair.open({ limits: { headerMaxCount: 3 }, options: { headerListMaxBytes: 2000 } });
  const lines = Array.from({ length: 4 }, (_, i): Field => [`x-${i}`, '1']);
  assert.equal((await pair.exchange({}, headers(1, status(200, ...lines)))).code(), 'upstream-invalid');
  const large = await pair.exchange({}, headers(3, status(200, ['x-a', 'a'.repeat(2000)])));
  assert.equal(large.code(), 'upstream-invalid');
  assert.equal((await pair.exchange({}, headers(5, status(200, ...lines.slice(1))))).status, 200);
});

test('what breaks a rule of the connection ends it with GOAWAY, and every exchange with it (RFC 9113 §5.4.1)', async () => {
  const cases: readonly (readonly [string, Uint8Array, number])[] = [
    ['push', frame(TYPE.PUSH_PROMISE, END_HEADERS, 1, u32(2)), CODE.PROTOCOL_ERROR],
    ['a stream of the server', headers(2, status(200)), CODE.PROTOCOL_ERROR],
    ['an answer to nothing', headers(9, status(200)), CODE.PROTOCOL_ERROR],
    [
      'a priority from a server',
      frame(TYPE.PRIORITY_UPDATE, 0, 0, `${u32(1).toString('latin1')}u=1`),
      CODE.PROTOCOL_ERROR,
    ],
    ['a broken block', frame(TYPE.HEADERS, 5, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])), CODE.COMPRESSION_ERROR],
    ['a frame that is too large', frame(TYPE.DATA, 0, 1, Buffer.alloc(16_385)), CODE.FRAME_SIZE_ERROR],
    ['push, enabled', settings([[SETTING.ENABLE_PUSH, 1]]), CODE.PROTOCOL_ERROR],
  ];
  for (const [what, bytes, code] of cases) {
    await using pair = await Http2Pair.open();
    const answers = [await pair.asked(), await pair.asked()];
    pair.server.send(bytes);
    for (const answer of answers) assert.equal((await answer.come()).code(), 'upstream-invalid', what);
    assert.equal((await pair.server.frame(TYPE.GOAWAY)).payload.readUInt32BE(4), code, what);
    assert.equal(pair.closeReason, 'invalid-answer', what);
    await pair.server.closed();
  }
});

test('a server that speaks HTTP/1.1 is found out', async () => {
  await using pair = await Http2Pair.open({ announced: null });
  const answer = pair.send();
  pair.server.send(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
  assert.equal((await answer.come()).code(), 'upstream-invalid');
  assert.equal(pair.closeReason, 'invalid-answer');
});

test('a body is held back until the server asks for it, or does not answer (RFC 9110 §10.1.1)', async () => {
  await using pair = await Http2Pair.open();
  for (const asks of [true, false]) {
    const id = asks ? 1 : 3;
    const body = arrivingBody(4);
    body.push(Buffer.from('held'));
    body.finish(null);
    pair.send({ method: 'PUT', body, expectContinue: true });
    const { fields } = await pair.server.frame(TYPE.HEADERS);
    assert.ok(fields?.some(([name, value]) => name === 'expect' && value === '100-continue'));
    await turns();
    assert.ok(!body.used);
    if (asks) pair.server.send(headers(id, status(100), END_HEADERS));
    else pair.pass(1500);
    assert.equal((await pair.server.frame(TYPE.DATA)).payload.toString(), 'held');
    pair.server.send(headers(id, status(200)));
  }
});

test('a 100 that nobody has asked for gives the server no more time for its answer', async () => {
  await using pair = await Http2Pair.open({ limits: { headTimeoutMs: 5000 } });
  const answer = await pair.asked();
  pair.pass(3000);
  pair.server.send(headers(1, status(100), END_HEADERS));
  await turns();
  pair.pass(2500);
  assert.equal(answer.code(), 'upstream-head-timeout');
});

test('a body that is all here is not held back', async () => {
  await using pair = await Http2Pair.open();
  pair.send({ method: 'PUT', body: Buffer.from('here'), expectContinue: true });
  const { fields } = await pair.server.frame(TYPE.HEADERS);
  assert.ok(fields?.every(([name]) => name !== 'expect'));
  assert.equal((await pair.server.frame(TYPE.DATA)).payload.toString(), 'here');
});

test('a body that was held and not asked for is not sent, and is still there for somebody else', async () => {
  await using pair = await Http2Pair.open();
  const body = arrivingBody(4);
  const begun = headers(1, status(417), END_HEADERS);
  const answer = await pair.exchange({ method: 'PUT', body, expectContinue: true }, begun);
  assert.equal(answer.status, 417);
  pair.pass(1500);
  pair.server.send(data(1, ''));
  assert.equal(await resetOf(pair.server, 1), CODE.NO_ERROR);
  assert.ok(!body.used && body.failure === null);
});
