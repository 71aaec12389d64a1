import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpRequest } from '../../../src/core/request.ts';
import {
  CODE,
  data,
  END_HEADERS,
  END_STREAM,
  type Field,
  GET,
  headers,
  POST,
  request,
  rstStream,
  TYPE,
} from '../../support/http2-frames.ts';
import { assertStreamError, Http2Served } from './verdict.ts';

/** Requests that are malformed (RFC 9113 §8.1.1) by their fields alone. */
const malformed: readonly (readonly [what: string, fields: readonly Field[]])[] = [
  ['a field name in upper case (§8.2.1)', request({}, [['X-TEST', 'ok']])],
  ['an empty field name', request({}, [['', 'ok']])],
  ['a space in a field name', request({}, [['x y', 'ok']])],
  ['a colon in a field name', request({}, [['x:y', 'ok']])],
  ['CR LF in a field name', request({}, [['x\r\ny', 'ok']])],
  ['an octet above 0x7F in a field name', request({}, [['x\xe9', 'ok']])],
  ['CR in a field value', request({}, [['x', 'a\rb']])],
  ['LF in a field value', request({}, [['x', 'a\nb']])],
  ['NUL in a field value', request({}, [['x', 'a\0b']])],
  ['DEL in a field value', request({}, [['x', 'a\x7fb']])],
  ['a space before a field value', request({}, [['x', ' a']])],
  ['a tab after a field value', request({}, [['x', 'a\t']])],
  ['an unknown pseudo-field (§8.3)', request({ ':test': 'ok' })],
  ['a pseudo-field of responses (§8.3)', request({ ':status': '200' })],
  ['a pseudo-field after a field (§8.3)', [['x', 'ok'], ...request()]],
  ['a pseudo-field between fields (§8.3)', [...request({ ':path': null }), ['x', 'ok'], [':path', '/']]],
  ['connection (§8.2.2)', request({}, [['connection', 'keep-alive']])],
  ['keep-alive (§8.2.2)', request({}, [['keep-alive', 'timeout=5']])],
  ['proxy-connection (§8.2.2)', request({}, [['proxy-connection', 'keep-alive']])],
  ['transfer-encoding (§8.2.2)', request({}, [['transfer-encoding', 'chunked']])],
  ['upgrade (§8.2.2)', request({}, [['upgrade', 'websocket']])],
  ['te other than trailers (§8.2.2)', request({}, [['te', 'trailers, deflate']])],
  ['an empty :path (§8.3.1)', request({ ':path': '' })],
  ['no :method (§8.3.1)', request({ ':method': null })],
  ['no :scheme (§8.3.1)', request({ ':scheme': null })],
  ['no :path (§8.3.1)', request({ ':path': null })],
  ['no :authority and no host (§8.3.1)', request({ ':authority': null })],
  ['a :path that does not begin with / (§8.3.1)', request({ ':path': 'index.html' })],
  ['an absolute :path', request({ ':path': 'http://other/' })],
  ['a :path of * with GET', request({ ':path': '*' })],
  ['a space in :path', request({ ':path': '/a b' })],
  ['CR LF in :path', request({ ':path': '/ HTTP/1.1\r\nhost: b' })],
  ['a fragment in :path', request({ ':path': '/a#b' })],
  ['an octet above 0x7F in :path', request({ ':path': '/\xe9' })],
  ['a space in :method', request({ ':method': 'GET /x' })],
  ['CR LF in :method', request({ ':method': 'GET\r\nx: y' })],
  ['an empty :method', request({ ':method': '' })],
  ['CR LF in :authority', request({ ':authority': 'a\r\nx: y' })],
  ['a path in :authority', request({ ':authority': 'a/b' })],
  ['user information in :authority (§8.3.1)', request({ ':authority': 'me@test' })],
  ['an empty :authority', request({ ':authority': '' })],
  ['another :scheme than http and https', request({ ':scheme': 'ftp' })],
  ['CR LF in :scheme', request({ ':scheme': 'http\r\n' })],
  ['host that differs from :authority', request({}, [['host', 'other']])],
  [
    'two host',
    request({ ':authority': null }, [
      ['host', 'test'],
      ['host', 'test'],
    ]),
  ],
  ['an invalid host', request({ ':authority': null }, [['host', 'a b']])],
  ['a content-length that is no number', request({}, [['content-length', 'ten']])],
  ['a signed content-length', request({}, [['content-length', '+0']])],
  [
    'content-length twice',
    request({}, [
      ['content-length', '0'],
      ['content-length', '0'],
    ]),
  ],
  ['a list as content-length', request({}, [['content-length', '0, 0']])],
  ['a content-length without a body (§8.1.1)', request({}, [['content-length', '1']])],
  ['CONNECT with :path (§8.5)', request({ ':method': 'CONNECT', ':scheme': null, ':authority': 'test:80' })],
  ['CONNECT with :scheme (§8.5)', request({ ':method': 'CONNECT', ':path': null, ':authority': 'test:80' })],
  ['CONNECT without a port (§8.5)', request({ ':method': 'CONNECT', ':path': null, ':scheme': null })],
  [
    'extended CONNECT without :path (RFC 8441 §4)',
    request({ ':method': 'CONNECT', ':path': null, ':protocol': 'websocket' }),
  ],
  [
    'extended CONNECT without :scheme (RFC 8441 §4)',
    request({ ':method': 'CONNECT', ':scheme': null, ':protocol': 'x' }),
  ],
  ['extended CONNECT with CR LF in :protocol', request({ ':method': 'CONNECT', ':protocol': 'x\r\ny: z' })],
  [':protocol with GET (RFC 8441 §4)', request({ ':protocol': 'websocket' })],
];

/** The same with a pseudo-field that comes twice (§8.3). */
const twice = [':method', ':scheme', ':path', ':authority'].map(
  (name) => [`two ${name} (§8.3.1)`, [...GET, ...GET.filter(([given]) => given === name)]] as const,
);

for (const [what, fields] of [...malformed, ...twice]) {
  test(`a request with ${what} is a stream error, and no handler sees it (RFC 9113 §8.1.1)`, async (t) => {
    const seen: HttpRequest[] = [];
    const on = await Http2Served.start(t, (received) => {
      seen.push(received);
      return { status: 200, body: 'hello' };
    });
    const wire = await on.open();
    wire.send(headers(1, fields));
    await assertStreamError(wire, 1, 'PROTOCOL_ERROR');
    assert.deepEqual(seen, []);
    wire.send(headers(3, GET));
    assert.equal((await wire.response(3)).status, 200, 'the connection goes on');
    await on.empty();
  });
}

/** Bodies that do not fit what was said before, in frames that may come together or one by one. */
const bodies: readonly (readonly [what: string, lengthBytes: string, rest: readonly Buffer[]])[] = [
  ['a body shorter than its content-length', '4', [data(1, 'abc')]],
  ['a body longer than its content-length', '1', [data(1, 'abc')]],
  ['a body in two frames that is shorter than its content-length', '9', [data(1, 'abc', 0), data(1, 'def')]],
  ['a body in two frames that is longer than its content-length', '4', [data(1, 'abc', 0), data(1, 'def')]],
  ['a body shorter than its content-length, then trailers', '4', [data(1, 'abc', 0), headers(1, [['x', 'y']])]],
  ['trailers with a pseudo-field (§8.1)', '4', [data(1, 'test', 0), headers(1, [[':method', 'POST']])]],
  ['trailers with a name in upper case', '4', [data(1, 'test', 0), headers(1, [['X-Sum', '1']])]],
  ['trailers with CR LF in a value', '4', [data(1, 'test', 0), headers(1, [['x', '1\r\ny: 2']])]],
  ['trailers with a connection field', '4', [data(1, 'test', 0), headers(1, [['transfer-encoding', 'chunked']])]],
  ['trailers with content-length', '4', [data(1, 'test', 0), headers(1, [['content-length', '4']])]],
  ['trailers without END_STREAM (§8.1)', '4', [data(1, 'test', 0), headers(1, [['x', 'y']], END_HEADERS)]],
];

for (const [what, lengthBytes, rest] of bodies) {
  test(`${what} is a stream error (RFC 9113 §8.1.1): no handler that reads bodies whole sees the request`, async (t) => {
    for (const together of [true, false]) {
      let seen = 0;
      const on = await Http2Served.start(t, () => {
        seen += 1;
        return { status: 200 };
      });
      const wire = await on.open();
      const frames = [headers(1, [...POST, ['content-length', lengthBytes]], END_HEADERS), ...rest];
      if (together) wire.send(...frames);
      else {
        for (const bytes of frames) {
          wire.send(bytes);
          await wire.settled();
        }
      }
      await assertStreamError(wire, 1, 'PROTOCOL_ERROR');
      assert.equal(seen, 0);
      await on.empty();
    }
  });

  test(`${what}: a handler that streams the body sees it fail, never end`, async (t) => {
    const outcomes: string[] = [];
    const on = await Http2Served.start(
      t,
      async (received) => {
        await received.text().then(
          () => outcomes.push('ended'),
          () => outcomes.push('failed'),
        );
        return { status: 200 };
      },
      { body: 'manual' },
    );
    const wire = await on.open();
    wire.send(headers(1, [...POST, ['content-length', lengthBytes]], END_HEADERS));
    await wire.settled();
    wire.send(...rest);
    await assertStreamError(wire, 1, 'PROTOCOL_ERROR');
    assert.deepEqual(outcomes, ['failed']);
    await on.empty();
  });
}

test('what a request says reaches its handler: method, target, authority as host, cookies as one line, body and trailers', async (t) => {
  const seen: unknown[] = [];
  const on = await Http2Served.start(t, async (received) => {
    const { method, target, authority, protocol } = received;
    const text = await received.text();
    const { headers: fields, trailers } = received;
    seen.push({ method, target, authority, protocol, fields: [...fields], text, trailers: [...(trailers ?? [])] });
    return { status: 200 };
  });
  const wire = await on.open();
  const fields = request({ ':method': 'PUT', ':path': '/a?b=c', ':authority': 'Test:80' }, [
    ['cookie', 'a=1'],
    ['x', 'y'],
    ['cookie', 'b=2'],
    ['te', 'trailers'],
  ]);
  wire.send(headers(1, fields, END_HEADERS), data(1, 'bo', 0), data(1, 'dy', 0), headers(1, [['sum', '4']]));
  assert.equal((await wire.response(1)).status, 200);
  assert.deepEqual(seen, [
    {
      method: 'PUT',
      target: '/a?b=c',
      authority: 'Test:80',
      protocol: 'HTTP/2',
      fields: [
        ['host', 'Test:80'],
        ['x', 'y'],
        ['te', 'trailers'],
        ['cookie', 'a=1; b=2'],
      ],
      text: 'body',
      trailers: [['sum', '4']],
    },
  ]);
});

test('host stands in for :authority (RFC 9113 §8.3.1), and may repeat it', async (t) => {
  const on = await Http2Served.start(t, ({ authority, headers: fields }) => ({
    status: 200,
    body: `${authority} ${fields.getAll('host').join()}`,
  }));
  const wire = await on.open();
  wire.send(
    headers(1, request({ ':authority': null }, [['host', 'test']])),
    headers(3, request({}, [['host', 'TEST']])),
  );
  assert.equal((await wire.response(1)).body, 'test test');
  assert.equal((await wire.response(3)).body, 'test test');
});

test('OPTIONS * is a request; TRACE is refused with 405, another expectation with 417', async (t) => {
  const on = await Http2Served.start(t, ({ method, target }) => ({ status: 200, body: `${method} ${target}` }));
  const wire = await on.open();
  wire.send(
    headers(1, request({ ':method': 'OPTIONS', ':path': '*' })),
    headers(3, request({ ':method': 'TRACE' })),
    headers(5, request({}, [['expect', 'more']])),
  );
  assert.equal((await wire.response(1)).body, 'OPTIONS *');
  assert.equal((await wire.response(3)).status, 405);
  assert.equal((await wire.response(5)).status, 417);
});

test('a request that is reset before its body has come is given to no handler, and leaves nothing behind', async (t) => {
  for (const code of [CODE.CANCEL, CODE.NO_ERROR]) {
    let seen = 0;
    const on = await Http2Served.start(t, () => {
      seen += 1;
      return { status: 200 };
    });
    const wire = await on.open();
    wire.send(headers(1, [...POST, ['content-length', '4']], END_HEADERS), data(1, 'te', 0), rstStream(1, code));
    await wire.settled();
    assert.equal(seen, 0);
    assert.equal(on.served.server.status().requests.inFlight, 0);
    await on.served.doing('idle');
    await on.empty();
  }
});

test('a reset aborts the request: its signal, its body and the iterator of its answer end, whatever the code', async (t) => {
  for (const code of [CODE.CANCEL, CODE.NO_ERROR]) {
    const ended: string[] = [];
    let pieceCount = 0;
    const first = (resolve: (result: IteratorResult<string>) => void): void => {
      pieceCount += 1;
      if (pieceCount === 1) resolve({ done: false, value: 'piece' });
    };
    const on = await Http2Served.start(
      t,
      (received) => {
        received.onAbort((failure) => ended.push(failure.code));
        const pieces = {
          [Symbol.asyncIterator]: () => pieces,
          next: () => new Promise<IteratorResult<string>>((resolve) => first(resolve)),
          return: async () => {
            ended.push('returned');
            return { done: true, value: undefined } as const;
          },
        };
        if (received.target === '/stream') return { status: 200, body: pieces };
        return received.text().then(
          () => ({ status: 200 }),
          () => {
            ended.push('body');
            return { status: 200 };
          },
        );
      },
      { body: 'manual' },
    );
    const wire = await on.open();
    wire.send(headers(1, POST, END_HEADERS), headers(3, request({ ':path': '/stream' }), END_STREAM | END_HEADERS));
    await wire.frame(TYPE.DATA);
    wire.send(rstStream(1, code), rstStream(3, code));
    await wire.settled();
    assert.deepEqual(ended.toSorted(), ['body', 'client-gone', 'client-gone', 'returned']);
    assert.equal(on.served.server.status().requests.inFlight, 0);
    await on.empty();
  }
});
