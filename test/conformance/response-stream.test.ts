import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import { Failure } from '../../src/core/failure.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import type { HttpResponse } from '../../src/core/message.ts';
import { arrivingBody } from '../support/request.ts';
import { eventually, turns } from '../support/wire.ts';
import { GET, POST, Served } from './served.ts';

async function* pieces(...list: (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
  for (const piece of list) {
    await turns(1);
    yield piece;
  }
}

const HTTP10 = 'GET / HTTP/1.0\r\n\r\n';

test('a body in pieces is chunked, a piece a chunk, and the connection goes on (RFC 9112 §7.1)', async (t) => {
  const bodies: (() => HttpResponse['body'])[] = [
    () => pieces('one', Buffer.from('two'), '', new Uint8Array(0), 'é', 'x'.repeat(5000)),
    () => ReadableStream.from(pieces('one', Buffer.from('two'), '', 'é', 'x'.repeat(5000))),
    () => Readable.from(pieces('one', Buffer.from('two'), 'é', 'x'.repeat(5000))),
  ];
  let body = bodies[0];
  const served = await Served.start(t, () => ({ status: 200, body: body?.() }));
  for (body of bodies) {
    const wire = await served.send(`${GET}\r\n${GET}\r\n`);
    for (let count = 0; count < 2; count += 1) {
      const response = await wire.response();
      assert.equal(response.get('transfer-encoding'), 'chunked');
      assert.deepEqual(response.chunks, ['one', 'two', 'Ã©', 'x'.repeat(5000)]);
    }
    wire.socket.destroy();
  }
});

test('a body in pieces of a known length has that length, and no chunks (RFC 9112 §6.2)', async (t) => {
  const served = await Served.start(t, () => ({
    status: 200,
    headers: { 'content-length': 6 },
    body: pieces('one', 'two'),
  }));
  const wire = await served.send(`${GET}\r\n${GET}\r\n`);
  for (let count = 0; count < 2; count += 1) {
    const response = await wire.response();
    assert.deepEqual([response.body, response.get('content-length'), response.chunks], ['onetwo', '6', null]);
  }
});

test('an empty body in pieces is an empty chunked body', async (t) => {
  const served = await Served.start(t, () => ({ status: 200, body: pieces() }));
  const wire = await served.send(`${GET}\r\n${GET}\r\n`);
  assert.deepEqual((await wire.response()).chunks, []);
  assert.deepEqual((await wire.response()).chunks, []);
});

test('for HTTP/1.0 a body of unknown length ends with the connection, whatever the client asks (RFC 9112 §6.3)', async (t) => {
  const served = await Served.start(t, () => ({ status: 200, body: pieces('one', 'two') }));
  for (const lines of ['', 'connection: keep-alive\r\n']) {
    const wire = await served.send(`GET / HTTP/1.0\r\n${lines}\r\n`);
    await wire.closed();
    const response = await wire.response();
    assert.deepEqual([response.body, response.get('connection')], ['onetwo', 'close']);
    assert.deepEqual([response.get('transfer-encoding'), response.get('content-length')], [null, null]);
    assert.equal(wire.ended, 'fin');
  }
});

test('a body that is echoed to HTTP/1.0 with keep-alive ends with the connection, too', async (t) => {
  const served = await Served.start(t, (request) => ({ status: 200, body: request.incoming }), {}, { body: 'manual' });
  const wire = await served.send('POST / HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhel');
  await served.doing('in-flight');
  wire.write('lo');
  const response = await wire.response();
  assert.deepEqual([response.body, response.get('content-length')], ['hello', '5']);
});

test('trailers go after the last chunk, without those that have no place there (RFC 9110 §6.5.1)', async (t) => {
  const trailers = () =>
    HeaderFields.from({
      'x-sum': 'abc',
      'content-length': '9',
      host: 'b',
      'transfer-encoding': 'x',
      connection: 'close',
    });
  const served = await Served.start(t, () => ({ status: 200, body: pieces('one'), trailers }));
  const wire = await served.send(`${GET}\r\n${GET}\r\n`);
  assert.deepEqual((await wire.response()).trailers, ['x-sum: abc']);
  assert.deepEqual((await wire.response()).trailers, ['x-sum: abc']);
  const old = await served.send(HTTP10);
  await old.closed();
  assert.equal((await old.response()).body, 'one');
});

test('an echoed body keeps its length or its chunks, and its trailers', async (t) => {
  const served = await Served.start(t, (request) => ({ status: 200, body: request.incoming }), {}, { body: 'manual' });
  const wire = await served.send(`${POST}content-length: 10\r\n\r\nhello`);
  await served.doing('in-flight');
  wire.write('world');
  const whole = await wire.response();
  assert.deepEqual([whole.body, whole.get('content-length'), whole.get('connection')], ['helloworld', '10', null]);
  wire.write(`${POST}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`);
  await wire.until('hello\r\n');
  wire.write('0\r\nx-sum: abc\r\n\r\n');
  assert.equal(await wire.until('\r\n\r\n'), '0\r\nx-sum: abc\r\n\r\n');
  wire.write(`${POST}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: abc\r\n\r\n`);
  assert.deepEqual((await wire.response()).trailers, ['x-sum: abc']);
});

test('a stream that breaks is never made to look complete (RFC 9112 §8)', async (t) => {
  async function* breaking(): AsyncGenerator<string> {
    yield 'part';
    await turns(3);
    throw new Error('broken');
  }
  const answers: [string, string, HttpResponse['headers'], () => HttpResponse['body']][] = [
    ['chunked', GET, {}, breaking],
    ['with a length', GET, { 'content-length': 10 }, breaking],
    ['until close', 'GET / HTTP/1.0\r\n', {}, breaking],
    ['short of its length', GET, { 'content-length': 10 }, () => pieces('part')],
    ['longer than its length', GET, { 'content-length': 6 }, () => pieces('part', 'part')],
    ['a piece that is none', GET, {}, () => Readable.from(['part', 5])],
    ['a web stream', GET, {}, () => ReadableStream.from(breaking())],
    ['a node stream', GET, {}, () => Readable.from(breaking())],
  ];
  let answer = answers[0];
  const served = await Served.start(t, () => ({ status: 200, headers: answer?.[2], body: answer?.[3]() }));
  for (answer of answers) {
    const wire = await served.send(`${answer[1]}\r\n${GET}\r\n`);
    const text = await wire.rest();
    assert.equal(await wire.closed(), 'reset', answer[0]);
    assert.ok(!text.includes('\r\n0\r\n'), answer[0]);
    assert.ok(text.split('HTTP/1.1').length <= 2, answer[0]);
    assert.ok(!text.includes('partpart'), answer[0]);
  }
  await served.closedFor('response-broken');
  await served.empty();
});

test('trailers that cannot be made break the answer, not the server', async (t) => {
  const served = await Served.start(
    t,
    (request) => ({
      status: 200,
      body: request.incoming ?? pieces('one'),
      trailers: () => {
        throw new Error('no trailers');
      },
    }),
    {},
    { body: 'manual' },
  );
  for (const bytes of [`${GET}\r\n`, `${POST}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`]) {
    const wire = await served.send(bytes);
    if (bytes.startsWith('POST')) {
      await wire.until('hello');
      wire.write('0\r\n\r\n');
    }
    assert.doesNotMatch(await wire.rest(), /\r\n0\r\n/);
    assert.equal(await wire.closed(), 'reset');
  }
  await served.empty();
});

test('a source that cannot even be started is 500', async (t) => {
  const locked = new ReadableStream();
  locked.getReader();
  const destroyed = new Error('no iterator');
  const answers: unknown[] = [
    locked,
    {
      [Symbol.asyncIterator]() {
        throw destroyed;
      },
    },
    ['not', 'async'],
  ];
  let body: unknown;
  const served = await Served.start(t, () => ({ status: 200, body }) as HttpResponse);
  for (body of answers) {
    const wire = await served.send(`${GET}\r\n`);
    assert.equal((await wire.response()).status, 500);
  }
});

test('an incoming body that was read, or is over the limit, is no answer any more', async (t) => {
  const served = await Served.start(
    t,
    async (request) => {
      if (request.target === '/read') await request.text();
      return { status: 200, body: request.incoming };
    },
    { bodyMaxBytes: 10 },
    { body: 'manual' },
  );
  const read = await served.send(`POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nok`);
  assert.equal((await read.response()).status, 500);
  const large = await served.send(`${POST}content-length: 11\r\n\r\nhello`);
  assert.equal((await large.response()).status, 413);
});

test('a client that does not read holds the source back, and gets everything when it reads', async (t) => {
  let produced = 0;
  const piece = Buffer.alloc(65_536, 'p');
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (; produced < 400; produced += 1) {
      yield piece;
      await turns(1);
    }
  }
  const sources: (() => HttpResponse['body'])[] = [
    endless,
    () => ReadableStream.from(endless()),
    () => Readable.from(endless()),
  ];
  let source = sources[0];
  const served = await Served.start(t, () => ({
    status: 200,
    headers: { 'content-length': 400 * piece.length },
    body: source?.(),
  }));
  for (source of sources) {
    produced = 0;
    const wire = await served.open();
    wire.socket.pause();
    wire.write(`${GET}\r\n`);
    await served.doing('in-flight');
    let before = -1;
    await eventually(() => produced > 0);
    while (before !== produced) {
      before = produced;
      await turns(50);
    }
    assert.ok(produced < 300, `${produced} pieces were produced for nobody`);
    wire.socket.resume();
    await eventually(() => wire.receivedBytes > 400 * piece.length);
    assert.equal((await wire.response()).body.length, 400 * piece.length);
    wire.socket.destroy();
    await served.doing('in-flight', 0);
  }
});

test('a source is stopped when its client goes, even while it has nothing to give', async (t) => {
  const stopped: string[] = [];
  const answers: Record<string, () => HttpResponse['body']> = {
    '/web': () => new ReadableStream({ start: (c) => c.enqueue('first'), cancel: () => void stopped.push('/web') }),
    '/node': () => {
      const stream = new PassThrough();
      stream.write('first');
      return stream.on('close', () => stopped.push('/node'));
    },
    '/iterator': () => ({
      [Symbol.asyncIterator]: () => {
        let sent = false;
        return {
          next: async () => {
            if (sent) await new Promise(() => undefined);
            sent = true;
            return { done: false, value: 'first' };
          },
          return: async () => {
            stopped.push('/iterator');
            return { done: true, value: undefined };
          },
        };
      },
    }),
    '/rude': () => ({
      [Symbol.asyncIterator]: () => {
        let sent = false;
        return {
          next: async () => {
            if (sent) await new Promise(() => undefined);
            sent = true;
            return { done: false, value: 'first' };
          },
          return: () => {
            stopped.push('/rude');
            throw new Error('cannot stop');
          },
        };
      },
    }),
  };
  const served = await Served.start(t, ({ target }) => ({ status: 200, body: answers[target]?.() }));
  for (const target of Object.keys(answers)) {
    const wire = await served.send(`GET ${target} HTTP/1.1\r\nhost: a\r\n\r\n`);
    await wire.until('first');
    wire.socket.resetAndDestroy();
    await eventually(() => stopped.includes(target), target);
  }
  await served.empty();
  assert.equal(stopped.length, 4);
});

test('a source that ends while the client is going does not end the server', async (t) => {
  const served = await Served.start(t, () => ({ status: 200, body: pieces('a'.repeat(100_000), 'b', 'c') }));
  for (let count = 0; count < 30; count += 1) {
    const wire = await served.send(`${GET}\r\n`);
    await turns(count % 6);
    wire.socket.resetAndDestroy();
  }
  await served.empty();
});

test('an incoming body that has failed already is answered for by its failure, not by a broken 200', async (t) => {
  const body = arrivingBody();
  body.push(Buffer.from('part'));
  body.fail(new Failure('upstream-truncated'));
  const served = await Served.start(t, () => ({ status: 200, body }));
  const wire = await served.send(`${GET}\r\n${GET}\r\n`);
  assert.equal((await wire.response()).status, 502);
  assert.equal((await wire.response()).status, 502);
});
