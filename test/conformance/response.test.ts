import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import { type HttpResponse, PreparedReply } from '../../src/core/message.ts';
import { turns } from '../support/wire.ts';
import { GET, Served } from './served.ts';

/** A server whose next answer a test sets. */
async function answering(t: Parameters<typeof Served.start>[0]) {
  const next: { answer: () => HttpResponse | Promise<HttpResponse> } = { answer: () => ({ status: 200 }) };
  const served = await Served.start(t, () => next.answer());
  const ask = async (answer: HttpResponse | (() => HttpResponse | Promise<HttpResponse>), method = 'GET') => {
    next.answer = typeof answer === 'function' ? answer : () => answer;
    const wire = await served.send(`${method} / HTTP/1.1\r\nhost: a\r\n\r\n`);
    const response = await wire.response(method);
    // What would be left over of it would stand before the next answer.
    next.answer = () => ({ status: 200, body: 'second' });
    if (response.get('connection') !== 'close') {
      wire.write(`${GET}\r\n`);
      assert.equal((await wire.response()).body, 'second');
    }
    assert.equal(wire.unread, '');
    wire.socket.destroy();
    return response;
  };
  return { served, ask };
}

test('a response has a date, its fields in order, and a length (RFC 9110 §6.6.1, RFC 9112 §6)', async (t) => {
  const { ask } = await answering(t);
  const response = await ask({ status: 201, headers: { B: '1', a: ['2', '3'], n: 4, none: undefined }, body: 'text' });
  assert.equal(
    response.head,
    'HTTP/1.1 201 Created\r\nB: 1\r\na: 2\r\na: 3\r\nn: 4\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: 4',
  );
  assert.equal((await ask({ status: 200, headers: { date: 'x' } })).get('date'), 'x');
  assert.equal((await ask({ status: 599 })).head.split('\r\n')[0], 'HTTP/1.1 599 Unknown');
});

test('bodies that are whole arrive whole, whatever their form and size', async (t) => {
  const { ask } = await answering(t);
  const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
  assert.equal((await ask({ status: 200, body: 'ascii' })).body, 'ascii');
  assert.equal((await ask({ status: 200, body: 'é€😀' })).body, utf8('é€😀'));
  assert.equal((await ask({ status: 200, body: 'ÿ' })).get('content-length'), '2');
  assert.equal((await ask({ status: 200, body: `${'é'.repeat(100_000)}` })).body, utf8('é'.repeat(100_000)));
  assert.equal((await ask({ status: 200, body: Buffer.from([0, 255, 10, 13]) })).body, '\0\xff\n\r');
  assert.equal((await ask({ status: 200, body: new Uint8Array([1, 2, 3, 4]).subarray(1, 3) })).body, '\x02\x03');
  for (const size of [0, 1, 4096, 4097, 70_000, 3_000_000]) {
    assert.equal((await ask({ status: 200, body: Buffer.alloc(size, 'b') })).body, 'b'.repeat(size));
    assert.equal((await ask({ status: 200, body: 's'.repeat(size) })).body, 's'.repeat(size));
  }
  for (const body of ['', null, undefined]) {
    assert.equal((await ask({ status: 200, body })).get('content-length'), '0');
  }
});

test('HEAD has the fields of GET and no body (RFC 9110 §9.3.2)', async (t) => {
  const { ask } = await answering(t);
  const answers: (() => HttpResponse)[] = [
    () => ({ status: 200, body: 'hello' }),
    () => ({ status: 200, body: Buffer.alloc(10_000) }),
    () => ({ status: 200, body: Readable.from(['a', 'b']) }),
    () => ({ status: 200, headers: { 'content-length': 2 }, body: Readable.from(['a', 'b']) }),
    () => ({ status: 404, body: 'é' }),
  ];
  for (const answer of answers) assert.equal((await ask(answer, 'HEAD')).head, (await ask(answer, 'GET')).head);
  const unknown = await ask({ status: 200 }, 'HEAD');
  assert.equal(unknown.get('content-length'), null);
  assert.equal((await ask({ status: 200, headers: { 'content-length': 77 } }, 'HEAD')).get('content-length'), '77');
});

test('204 and 304 have no body, and 204 no length (RFC 9110 §8.6, §15.3.5, §15.4.5)', async (t) => {
  const { ask } = await answering(t);
  const empty = await ask({ status: 204, headers: { 'content-length': 5 }, body: 'hello' });
  assert.deepEqual([empty.get('content-length'), empty.get('transfer-encoding')], [null, null]);
  assert.equal((await ask({ status: 204, body: Readable.from(['x']) })).get('transfer-encoding'), null);
  const unchanged = await ask({ status: 304, headers: { 'content-length': 5 }, body: 'hello' });
  assert.equal(unchanged.get('content-length'), '5');
  assert.equal((await ask({ status: 304 })).get('content-length'), null);
});

test('a source that is not sent is let go of', async (t) => {
  const { ask } = await answering(t);
  const cancelled: unknown[] = [];
  const sources: (() => NonNullable<HttpResponse['body']>)[] = [
    () => new ReadableStream({ cancel: () => void cancelled.push('web') }),
    () =>
      new Readable({
        read() {},
        destroy(error, done) {
          cancelled.push('node');
          done(error);
        },
      }),
    () => createReadStream('/does/not/exist'),
    () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        async return() {
          cancelled.push('iterator');
          return { done: true, value: undefined };
        },
      }),
    }),
  ];
  for (const source of sources) await ask(() => ({ status: 200, body: source() }), 'HEAD');
  for (const source of sources) await ask(() => ({ status: 304, body: source() }));
  await turns(20);
  assert.deepEqual(cancelled, ['web', 'node', 'iterator', 'web', 'node', 'iterator']);
});

test('no header can inject a line: it is 500, and nothing of it reaches the wire (RFC 9110 §5.5)', async (t) => {
  const { ask } = await answering(t);
  const wrong: HttpResponse['headers'][] = [
    { x: 'a\r\nset-cookie: b' },
    { x: 'a\nb' },
    { x: 'a\rb' },
    { x: 'a\r\n' },
    { x: '\nb' },
    { x: 'a\0b' },
    { x: 'a\x7fb' },
    { x: '\u010d\u010a' },
    { x: '€' },
    { x: '\ud800' },
    { 'x\r\ny': 'z' },
    { 'x y': 'z' },
    { 'x:': 'z' },
    { '': 'z' },
    { é: 'z' },
    { x: ['a', 'b\r\nc'] },
    [['x', 'a\r\nb']],
  ];
  for (const headers of wrong) {
    const response = await ask({ status: 200, headers, body: 'secret' });
    assert.equal(response.status, 500, JSON.stringify(headers));
    assert.doesNotMatch(response.head + response.body, /set-cookie|secret|x:/);
  }
  assert.equal((await ask({ status: 200, headers: { x: ' \xe9\ta ' } })).get('x'), '\xe9\ta');
});

test('fields of the connection are ours: what a handler says of it is not passed on (RFC 9110 §7.6.1)', async (t) => {
  const { ask } = await answering(t);
  const headers = {
    connection: 'close, x-private',
    'x-private': '1',
    'keep-alive': 'timeout=5',
    'transfer-encoding': 'gzip',
    'proxy-connection': 'close',
    upgrade: 'h2c',
    te: 'trailers',
    kept: 'yes',
  };
  const response = await ask({ status: 200, headers, body: 'ok' });
  assert.equal(
    response.head,
    'HTTP/1.1 200 OK\r\nkept: yes\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: 2',
  );
});

test('426 says what to upgrade to, and 407 how to authenticate to the proxy (RFC 9110 §15.5.22, §15.5.8)', async (t) => {
  const { ask } = await answering(t);
  const upgrade = await ask({ status: 426, headers: { upgrade: 'HTTP/3.0' } });
  assert.deepEqual([upgrade.get('upgrade'), upgrade.get('connection')], ['HTTP/3.0', 'upgrade']);
  const proxy = await ask({ status: 407, headers: { 'proxy-authenticate': 'Basic', connection: 'x' } });
  assert.deepEqual([proxy.get('proxy-authenticate'), proxy.get('connection')], ['Basic', null]);
});

test('a content-length that does not fit its body is 500 (RFC 9110 §8.6)', async (t) => {
  const { ask } = await answering(t);
  for (const [length, body] of [
    ['4', 'hello'],
    ['6', 'hello'],
    ['5', null],
    ['5', ''],
    ['-5', 'hello'],
    ['5x', 'hello'],
    ['5x', null],
    ['', 'hello'],
  ] as const) {
    assert.equal((await ask({ status: 200, headers: { 'content-length': length }, body })).status, 500, length);
  }
  assert.equal(
    (
      await ask({
        status: 200,
        headers: [
          ['content-length', '5'],
          ['content-length', '5'],
        ],
        body: 'hello',
      })
    ).status,
    500,
  );
  assert.equal(
    (await ask({ status: 200, headers: { 'content-length': 5 }, body: 'hello' })).get('content-length'),
    '5',
  );
  assert.equal((await ask({ status: 200, headers: { 'content-length': 0 } })).get('content-length'), '0');
});

test('a status that cannot be answered is 500 (RFC 9110 §15)', async (t) => {
  const { ask } = await answering(t);
  for (const status of [0, 99, 100, 101, 103, 199, 600, 999, -200, 200.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.equal((await ask({ status })).status, 500, String(status));
  }
  assert.equal((await ask({ status: 205, body: 'x' })).status, 500);
  assert.equal((await ask({ status: 205 })).get('content-length'), '0');
});

test('a handler that answers with something else is 500, not a crash', async (t) => {
  const { ask } = await answering(t);
  const wrong: unknown[] = [
    undefined,
    null,
    'text',
    200,
    true,
    {},
    [],
    () => undefined,
    { status: '200' },
    { status: 200, body: 5 },
    { status: 200, body: {} },
    { status: 200, headers: 5, body: 'x' },
  ];
  for (const value of wrong) {
    assert.equal((await ask(() => value as HttpResponse)).status, 500);
    assert.equal((await ask(async () => value as HttpResponse)).status, 500);
  }
  const throwing = {
    get status(): number {
      throw new Error('no status');
    },
  };
  assert.equal((await ask(throwing)).status, 500);
});

test('what a handler throws is 500 without its message, in whatever way it throws', async (t) => {
  const { ask } = await answering(t);
  const ways: Handler[] = [
    () => {
      throw new Error('secret');
    },
    () => {
      throw 'secret';
    },
    () => {
      throw undefined;
    },
    () => Promise.reject(new Error('secret')),
    () => Promise.reject(undefined),
  ];
  for (const way of ways) {
    const response = await ask(() => Reflect.apply(way, undefined, []));
    assert.equal(response.status, 500);
    assert.equal(response.body, 'The server failed to answer.\n');
  }
});

test('a Fetch Response is an answer, with every set-cookie of it', async (t) => {
  const { ask } = await answering(t);
  const headers = new Headers({ 'content-type': 'text/plain', 'Set-Cookie': 'a=1' });
  headers.append('set-cookie', 'b=2');
  const response = await ask(() => new Response('hello', { status: 202, headers }));
  assert.deepEqual([response.status, response.body, response.all('set-cookie')], [202, 'hello', ['a=1', 'b=2']]);
  assert.equal((await ask(() => new Response(null, { status: 204 }))).status, 204);
  assert.equal((await ask(() => Response.error())).status, 500);
});

test('a Fetch Response that was sent before is 500 the second time, not a crash', async (t) => {
  const { ask } = await answering(t);
  const same = new Response('once');
  assert.equal((await ask(same)).body, 'once');
  assert.equal((await ask(same)).status, 500);
  assert.equal((await ask(same, 'HEAD')).status, 200);
});

test('header fields that are shared between answers stay as they are', async (t) => {
  const { ask } = await answering(t);
  const headers = HeaderFields.from({ x: 'y' });
  for (let count = 0; count < 3; count += 1)
    assert.equal((await ask({ status: 200, headers, body: 'z' })).get('x'), 'y');
  assert.deepEqual(headers.pairs, ['x', 'y']);
});

test('a prepared reply is serialised once a second, and only for the usual case', async (t) => {
  const prepared = new PreparedReply();
  const served = await Served.start(t, () => ({ status: 200, headers: { x: 'y' }, body: 'ok', prepared }));
  const wire = await served.send(`${GET}\r\n${GET}\r\n`);
  const first = await wire.response();
  const { text } = prepared;
  assert.equal((await wire.response()).head, first.head);
  assert.equal(prepared.text, text);
  wire.write('HEAD / HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.equal((await wire.response('HEAD')).head, first.head);
  await served.pass(1000);
  wire.write(`${GET}\r\n`);
  assert.equal((await wire.response()).get('date'), 'Thu, 01 Jan 2026 00:00:01 GMT');
  assert.notEqual(prepared.text, text);
  wire.write(`${GET}connection: close\r\n\r\n`);
  assert.equal((await wire.response()).get('connection'), 'close');
  const old = await served.send('GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n');
  assert.equal((await old.response()).get('connection'), 'keep-alive');
  const tunnel = await served.send('CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.equal((await tunnel.response()).status, 501);
});
