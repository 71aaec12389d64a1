import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serve } from '../../../src/server/serve.ts';
import { proxy } from '../../../src/upstream/forward.ts';
import { upstream } from '../../../src/upstream/group.ts';
import {
  CODE,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  type Field,
  GET,
  headers,
  POST,
  request,
  rstStream,
} from '../../support/http2-frames.ts';
import { Http2Wire } from '../../support/http2-wire.ts';
import { eventually } from '../../support/wire.ts';
import { ScriptedUpstream, turns } from '../../upstream/scripted.ts';

/** An HTTP/2 client, a Sluice that passes on to HTTP/1.1, and an upstream that shows the bytes it gets. */
async function downgraded(t: { after(done: () => Promise<void>): void }) {
  const scripted = await ScriptedUpstream.listen();
  const group = upstream({ endpoints: [scripted.url] });
  const server = await serve({
    listeners: [{ bind: '127.0.0.1:0', protocols: ['h2'] }],
    handler: proxy(group, { via: 'me' }),
  });
  const wire = await Http2Wire.open(server.listeners[0]?.address.port ?? 0);
  t.after(async () => {
    wire.socket.destroy();
    group.close();
    await server.close();
    await scripted[Symbol.asyncDispose]();
  });
  return { scripted, wire, server };
}

const SMUGGLED = 'GET /admin HTTP/1.1\r\nhost: inside\r\n\r\n';
const field = (name: string, value: string): Field[] => request({}, [[name, value]]);

/** Requests in which a second one is hidden, or whose end two hops could see in two places. */
const attacks: readonly (readonly [what: string, frames: readonly Buffer[]])[] = [
  ['CR LF in a value', [headers(1, field('x', `y\r\n\r\n${SMUGGLED}`))]],
  ['LF in a value', [headers(1, field('x', 'y\nhost: other'))]],
  ['CR in a value', [headers(1, field('x', 'y\rhost: other'))]],
  ['CR LF in a name', [headers(1, field(`x: y\r\n\r\n${SMUGGLED}x`.toLowerCase(), 'z'))]],
  ['a colon in a name', [headers(1, field('transfer-encoding:chunked', ''))]],
  ['a space in a name', [headers(1, field('transfer-encoding ', 'chunked'))]],
  ['CR LF in :path', [headers(1, request({ ':path': `/ HTTP/1.1\r\nhost: a\r\n\r\n${SMUGGLED}` }))]],
  ['a space in :path', [headers(1, request({ ':path': '/admin HTTP/1.1' }))]],
  ['a tab in :path', [headers(1, request({ ':path': '/a\tb' }))]],
  ['an absolute :path', [headers(1, request({ ':path': 'http://inside/admin' }))]],
  [':path that begins with the authority', [headers(1, request({ ':path': '@inside/admin' }))]],
  ['CR LF in :method', [headers(1, request({ ':method': `GET / HTTP/1.1\r\nhost: a\r\n\r\n${SMUGGLED}GET` }))]],
  ['a space in :method', [headers(1, request({ ':method': 'GET /admin' }))]],
  ['CR LF in :authority', [headers(1, request({ ':authority': 'a\r\nx-admin: 1' }))]],
  ['a path in :authority', [headers(1, request({ ':authority': 'a/admin' }))]],
  ['user information in :authority', [headers(1, request({ ':authority': 'inside@a' }))]],
  ['CR LF in :scheme', [headers(1, request({ ':scheme': 'http\r\nx: y' }))]],
  ['host that is not :authority', [headers(1, field('host', 'inside'))]],
  [
    'two host',
    [
      headers(
        1,
        request({ ':authority': null }, [
          ['host', 'a'],
          ['host', 'inside'],
        ]),
      ),
    ],
  ],
  [
    'transfer-encoding: chunked',
    [headers(1, [...POST, ['transfer-encoding', 'chunked']], END_HEADERS), data(1, `0\r\n\r\n${SMUGGLED}`)],
  ],
  [
    'transfer-encoding in upper case',
    [headers(1, [...POST, ['Transfer-Encoding', 'chunked']], END_HEADERS), data(1, '0\r\n\r\n')],
  ],
  ['connection: transfer-encoding', [headers(1, field('connection', 'transfer-encoding'))]],
  ['upgrade: h2c', [headers(1, field('upgrade', 'h2c'))]],
  [
    'a content-length of 0 with a body',
    [headers(1, [...POST, ['content-length', '0']], END_HEADERS), data(1, SMUGGLED)],
  ],
  [
    'a content-length that is too short',
    [headers(1, [...POST, ['content-length', '3']], END_HEADERS), data(1, `abc${SMUGGLED}`)],
  ],
  [
    'a content-length that is too long',
    [headers(1, [...POST, ['content-length', '300']], END_HEADERS), data(1, 'abc')],
  ],
  [
    'two content-length',
    [headers(1, [...POST, ['content-length', '3'], ['content-length', '0']], END_HEADERS), data(1, 'abc')],
  ],
  ['content-length as a list', [headers(1, [...POST, ['content-length', '3, 3']], END_HEADERS), data(1, 'abc')]],
  ['content-length in hexadecimal', [headers(1, [...POST, ['content-length', '0x3']], END_HEADERS), data(1, 'abc')]],
  [
    'content-length in trailers',
    [headers(1, POST, END_HEADERS), data(1, 'abc', 0), headers(1, [['content-length', '0']])],
  ],
  [
    'transfer-encoding in trailers',
    [headers(1, POST, END_HEADERS), data(1, 'abc', 0), headers(1, [['transfer-encoding', 'chunked']])],
  ],
  [
    'CR LF in trailers',
    [headers(1, POST, END_HEADERS), data(1, 'abc', 0), headers(1, [['x', `y\r\n\r\n${SMUGGLED}`]])],
  ],
  [
    'a request in the second half of a block',
    [headers(1, GET, END_STREAM), continuation(1, [['x', `y\r\n\r\n${SMUGGLED}`]])],
  ],
];

for (const [what, frames] of attacks) {
  test(`${what} never makes a second request at an HTTP/1.1 upstream (RFC 9113 §10.3)`, async (t) => {
    const { scripted, wire } = await downgraded(t);
    wire.send(...frames);
    const { reset } = await wire.response(1);
    assert.equal(reset, CODE.PROTOCOL_ERROR);
    await turns();
    // A body that is passed on as it comes may have begun; then its request never ends, and its connection does.
    for (const connection of scripted.accepted) {
      if (connection.received === '') continue;
      await connection.closed();
      assert.equal(connection.received.split('HTTP/1.1\r\n').length - 1, 1);
      assert.ok(!connection.received.includes('0\r\n\r\n') && !connection.received.includes('/admin'));
    }
    assert.ok(scripted.accepted.length === 0 || frames.length > 1);
  });
}

/** What is passed on, and how it looks as HTTP/1.1. */
const passed: readonly (readonly [what: string, frames: readonly Buffer[], head: RegExp, body: string])[] = [
  ['a plain request', [headers(1, request({ ':path': '/a?b' }))], /^GET \/a\?b HTTP\/1\.1\r\nhost: test\r\n/, ''],
  [
    'a body without a length, in chunks',
    [headers(1, POST, END_HEADERS), data(1, 'abc', 0), data(1, SMUGGLED)],
    /^POST \/ HTTP\/1\.1\r\n(?=.*\r\ntransfer-encoding: chunked\r\n)(?!.*content-length)/s,
    `3\r\nabc\r\n${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
  ],
  [
    'a body with its length',
    [headers(1, [...POST, ['content-length', '3']], END_HEADERS), data(1, 'abc')],
    /^(?=.*\r\ncontent-length: 3\r\n)(?!.*transfer-encoding)/s,
    'abc',
  ],
  [
    'cookies as one line',
    [
      headers(
        1,
        request({}, [
          ['cookie', 'a=1'],
          ['x', 'y'],
          ['cookie', 'b=2'],
          ['cookie', 'c=3'],
        ]),
      ),
    ],
    /\r\ncookie: a=1; b=2; c=3\r\n/,
    '',
  ],
  [
    'host instead of :authority',
    [headers(1, request({ ':authority': null }, [['host', 'other:8080']]))],
    /\r\nhost: other:8080\r\n/,
    '',
  ],
  [
    'no te, and no name that a gateway would take for content-length',
    [
      headers(
        1,
        request({}, [
          ['te', 'trailers'],
          ['content_length', '5'],
          ['x_y', 'z'],
        ]),
      ),
    ],
    /^(?!.*(?:trailers|content_length))/s,
    '',
  ],
];

for (const [what, frames, head, body] of passed) {
  test(`an HTTP/1.1 upstream gets ${what}`, async (t) => {
    const { scripted, wire } = await downgraded(t);
    wire.send(...frames);
    const connection = await scripted.connection();
    assert.match(await connection.head(), head);
    await eventually(() => connection.received.length >= body.length);
    assert.equal(connection.received, body);
    connection.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: x-hop\r\nx-hop: 1\r\nx-end: 2\r\n\r\nok');
    const response = await wire.response(1);
    assert.deepEqual(
      [response.status, response.body, response.get('x-end'), response.get('x-hop')],
      [200, 'ok', '2', null],
    );
  });
}

test('a client that resets its stream is gone for the upstream too', async (t) => {
  const { scripted, wire } = await downgraded(t);
  wire.send(headers(1, GET));
  const connection = await scripted.connection();
  await connection.head();
  wire.send(rstStream(1));
  await connection.closed();
});

test('an answer that breaks off upstream resets the stream: it never looks complete', async (t) => {
  const { scripted, wire } = await downgraded(t);
  wire.send(headers(1, GET));
  const connection = await scripted.connection();
  await connection.head();
  connection.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc');
  await wire.sees(({ type }) => type === 0, 'DATA');
  connection.reset();
  const { body, reset } = await wire.response(1);
  assert.deepEqual([body, reset], ['abc', CODE.INTERNAL_ERROR]);
});

test('trailers pass in both directions between HTTP/2 and HTTP/1.1', async (t) => {
  const { scripted, wire } = await downgraded(t);
  wire.send(headers(1, [...POST, ['te', 'trailers']], END_HEADERS), data(1, 'abc', 0), headers(1, [['sum', '6']]));
  const connection = await scripted.connection();
  await connection.head();
  assert.equal(await connection.take('\r\n\r\n'), '3\r\nabc\r\n0\r\nsum: 6\r\n\r\n');
  connection.write(
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: sum\r\n\r\n1\r\nx\r\n0\r\nsum: 7\r\n\r\n',
  );
  const { body, trailers } = await wire.response(1);
  assert.deepEqual([body, trailers], ['x', [['sum', '7']]]);
});
