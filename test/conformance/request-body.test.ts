import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/core/failure.ts';
import type { Handler } from '../../src/core/handler.ts';
import type { HttpRequest } from '../../src/core/request.ts';
import { eventually, turns, type WireResponse } from '../support/wire.ts';
import { GET, POST, Served } from './served.ts';

const json = (value: unknown) => ({ status: 200, body: JSON.stringify(value) });
const withLength = (body: string, lines = ''): string => `${POST}${lines}content-length: ${body.length}\r\n\r\n${body}`;
const inChunks = (...chunks: string[]): string =>
  `${POST}transfer-encoding: chunked\r\n\r\n${chunks.map((c) => `${c.length.toString(16)}\r\n${c}\r\n`).join('')}0\r\n\r\n`;

for (const mode of ['auto', 'manual'] as const) {
  test(`a body is read as text, JSON, bytes, form, blob, stream and chunks: body ${mode}`, async (t) => {
    const readers: Record<string, (request: HttpRequest) => Promise<unknown>> = {
      text: (request) => request.text(),
      json: (request) => request.json(),
      bytes: async (request) => [...(await request.bytes())].length,
      arrayBuffer: async (request) => (await request.arrayBuffer()).byteLength,
      blob: async (request) => {
        const blob = await request.blob();
        return [blob.type, await blob.text()];
      },
      stream: async (request) => new Response(request.body).text(),
      chunks: async (request) => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of request) chunks.push(chunk);
        return Buffer.concat(chunks).toString();
      },
      formData: async (request) => [...(await request.formData())],
    };
    let read = readers.text;
    const served = await Served.start(t, async (request) => json(await read?.(request)), {}, { body: mode });
    const ask = async (name: string, bytes: string): Promise<unknown> => {
      read = readers[name];
      const wire = await served.open();
      // In two segments, so that the body is still arriving when the handler is asked.
      await wire.segment(bytes.slice(0, -9));
      await turns(3);
      wire.write(bytes.slice(-9));
      const response = await wire.response();
      wire.socket.destroy();
      return response.status === 200 ? JSON.parse(Buffer.from(response.body, 'latin1').toString()) : response.status;
    };
    const document = '{"name":"some text that is long enough"}';
    const form = 'a=1&b=two%20words';
    const formType = 'content-type: application/x-www-form-urlencoded\r\n';
    for (const bytes of [
      withLength(document, 'content-type: x/y\r\n'),
      inChunks(document.slice(0, 10), document.slice(10)),
    ]) {
      assert.equal(await ask('text', bytes), document);
      assert.deepEqual(await ask('json', bytes), JSON.parse(document));
      assert.equal(await ask('bytes', bytes), document.length);
      assert.equal(await ask('arrayBuffer', bytes), document.length);
      assert.deepEqual(await ask('blob', bytes), [bytes.includes('x/y') ? 'x/y' : '', document]);
      assert.equal(await ask('stream', bytes), document);
      assert.equal(await ask('chunks', bytes), document);
    }
    assert.deepEqual(await ask('formData', withLength(form, formType)), [
      ['a', '1'],
      ['b', 'two words'],
    ]);
    const multipart = '--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n';
    assert.deepEqual(
      await ask('formData', withLength(multipart, 'content-type: multipart/form-data; boundary=x\r\n')),
      [['a', '1']],
    );
    assert.equal(await ask('text', withLength('\xef\xbb\xbfh\xc3\xa9llo w\xc3\xb6rld')), 'héllo wörld');
    assert.equal(await ask('json', withLength('{"no json at all')), 400);
    assert.equal(await ask('formData', withLength('no form at all')), 400);
  });
}

test('without a body everything is empty', async (t) => {
  const served = await Served.start(t, async (request) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const bytes = await request.bytes();
    return json([await request.text(), bytes.length, chunks.length, request.body, request.bodyUsed, request.trailers]);
  });
  const wire = await served.send(`${GET}\r\n`);
  assert.deepEqual(JSON.parse((await wire.response()).body), ['', 0, 0, null, false, null]);
});

test('a body may be asked for whole again, but not be read in pieces after that, nor the other way round', async (t) => {
  const served = await Served.start(
    t,
    async (request) => {
      const { target } = request;
      if (target === '/whole') {
        const before = request.bodyUsed;
        const text = await request.text();
        const bytes = await request.bytes();
        const again = await Array.fromAsync(request).catch((error: unknown) => String(error));
        return json([before, text, bytes.length, again, request.bodyUsed]);
      }
      for await (const _chunk of request) break;
      return json(await request.text().catch((error: unknown) => String(error)));
    },
    {},
    { body: 'manual' },
  );
  const wire = await served.send(withLength('hello').replace('POST /', 'POST /whole'));
  const error = 'TypeError: the body is read already';
  assert.deepEqual(JSON.parse((await wire.response()).body), [false, 'hello', 5, error, true]);
  wire.write(withLength('hello'));
  assert.deepEqual(JSON.parse((await wire.response()).body), error);
});

test('a length over the limit is 413 before the body is read (RFC 9110 §15.5.14)', async (t) => {
  let calls = 0;
  const handler: Handler = async (request) => {
    calls += 1;
    return json((await request.text()).length);
  };
  for (const body of ['auto', 'manual'] as const) {
    const served = await Served.start(t, handler, { bodyMaxBytes: 10 }, { body });
    const wire = await served.send(withLength('0123456789'));
    assert.equal((await wire.response()).body, '10');
    calls = 0;
    const large = await served.send(`${POST}content-length: 11\r\n\r\n`);
    const refusal = await large.response();
    assert.equal(refusal.status, 413);
    assert.equal(calls, body === 'auto' ? 0 : 1);
    const huge = await served.lastAnswer(`${POST}content-length: 99999999999\r\n\r\nx`);
    assert.equal(huge.status, 413);
  }
});

test('chunks are counted, and 413 comes as soon as they are too many', async (t) => {
  for (const body of ['auto', 'manual'] as const) {
    const served = await Served.start(
      t,
      async (request) => json((await request.text()).length),
      { bodyMaxBytes: 10 },
      { body },
    );
    const whole = await served.send(inChunks('01234', '56789'));
    assert.equal((await whole.response()).body, '10');
    const atOnce = await served.send(inChunks('01234', '567890'));
    assert.equal((await atOnce.response()).status, 413);
    const endless = await served.send(`${POST}transfer-encoding: chunked\r\n\r\n5\r\n01234\r\n`);
    await served.doing('in-flight');
    endless.write('6\r\n567890\r\n');
    const refused = await endless.response();
    assert.deepEqual([refused.status, refused.get('connection')], [413, 'close']);
  }
});

test('bodyMaxBytes of null is no limit', async (t) => {
  const served = await Served.start(t, async (request) => json((await request.bytes()).length), { bodyMaxBytes: null });
  const wire = await served.send(withLength('x'.repeat(12_000_000)));
  assert.equal((await wire.response()).body, '12000000');
});

test('in auto mode a synchronous handler has the whole body at hand; in manual mode it is called at the head', async (t) => {
  const seen: [boolean, string | null][] = [];
  const handler: Handler = ({ incoming }) => {
    const bytes = incoming?.takeWhole() ?? null;
    seen.push([incoming?.complete === true, bytes === null ? null : Buffer.from(bytes).toString()]);
    return { status: 200 };
  };
  for (const body of ['auto', 'manual'] as const) {
    const served = await Served.start(t, handler, {}, { body });
    const wire = await served.open();
    await wire.segment(`${POST}content-length: 10\r\n\r\nhello`);
    if (body === 'auto') await served.doing('in-flight');
    else await wire.response();
    wire.write('world');
    if (body === 'auto') await wire.response();
    wire.write(withLength('at once'));
    await wire.response();
  }
  assert.deepEqual(seen.splice(0), [
    [true, 'helloworld'],
    [true, 'at once'],
    [false, null],
    [true, 'at once'],
  ]);
});

test('a handler that reads slowly pauses the client', async (t) => {
  const gate = Promise.withResolvers<void>();
  let readBytes = 0;
  const size = 30_000_000;
  const served = await Served.start(
    t,
    async (request) => {
      for await (const chunk of request) {
        readBytes += chunk.length;
        await gate.promise;
      }
      return json(readBytes);
    },
    { bodyMaxBytes: null },
    { body: 'manual' },
  );
  const wire = await served.send(`${POST}content-length: ${size}\r\n\r\n`);
  wire.write(Buffer.alloc(size, 'x'));
  await eventually(() => readBytes > 0);
  await turns(200);
  assert.ok(wire.socket.writableLength > 0, 'the client could send everything');
  assert.ok(readBytes < 1_000_000);
  gate.resolve();
  assert.equal((await wire.response()).body, String(size));
});

test('a body that nobody reads pauses the client, too', async (t) => {
  const gate = Promise.withResolvers<void>();
  let held = 0;
  const served = await Served.start(
    t,
    async ({ incoming }) => {
      await gate.promise;
      held = incoming?.heldBytes ?? 0;
      return { status: 200 };
    },
    {},
    { body: 'manual' },
  );
  const wire = await served.send(`${POST}content-length: 9000000\r\n\r\n`);
  wire.write(Buffer.alloc(9_000_000, 'x'));
  await served.doing('in-flight');
  await turns(100);
  assert.ok(wire.socket.writableLength > 0);
  gate.resolve();
  assert.equal((await wire.response()).get('connection'), 'close');
  assert.ok(held < 300_000, `${held} bytes were held`);
});

test('an early answer: a short rest is thrown away and the connection kept (RFC 9112 §9.3)', async (t) => {
  const served = await Served.start(t, ({ target }) => json(target), {}, { body: 'manual' });
  const wire = await served.send(`${POST}content-length: 100000\r\n\r\nhello`);
  const early = await wire.response();
  assert.equal(early.get('connection'), null);
  wire.write(`${'x'.repeat(99_995)}GET /next HTTP/1.1\r\nhost: a\r\n\r\n`);
  assert.equal((await wire.response()).body, '"/next"');
  await served.doing('idle');
});

test('an early answer: a long or unknown rest ends the connection, and the client sees the whole answer (RFC 9112 §9.6)', async (t) => {
  const body = 'x'.repeat(500_000);
  const served = await Served.start(t, () => ({ status: 200, body }), {}, { body: 'manual' });
  for (const framing of ['content-length: 50000000\r\n', 'transfer-encoding: chunked\r\n']) {
    const wire = await served.send(`${POST}${framing}\r\n`);
    wire.write(framing.startsWith('c') ? Buffer.alloc(5_000_000) : `989680\r\n${'x'.repeat(5_000_000)}`);
    const response = await wire.response();
    assert.deepEqual([response.body.length, response.get('connection')], [body.length, 'close']);
    assert.equal(await wire.closed(), 'fin');
    wire.socket.destroy();
  }
  await served.closedFor('keep-alive-off');
});

test('an early answer to a body that was begun to be read: a rest that turns out long ends the connection', async (t) => {
  const served = await Served.start(
    t,
    async (request) => {
      for await (const _chunk of request) break;
      return { status: 200 };
    },
    {},
    { body: 'manual' },
  );
  const wire = await served.send(`${POST}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`);
  assert.equal((await wire.response()).status, 200);
  wire.write(`989680\r\n${'x'.repeat(5_000_000)}`);
  assert.equal(await wire.rest(), '');
});

test('who still reads a body after its request was answered is told, and does not wait for ever', async (t) => {
  const read = Promise.withResolvers<unknown>();
  const served = await Served.start(
    t,
    (request) => {
      request.text().catch((error: unknown) => read.resolve(error));
      return { status: 200 };
    },
    {},
    { body: 'manual' },
  );
  const wire = await served.send(`${POST}content-length: 10\r\n\r\nhello`);
  await wire.response();
  assert.match(String(await read.promise), /answered already/);
  wire.write(`world${GET}\r\n`);
  assert.equal((await wire.response()).status, 200);
});

test('a body whose client goes is truncated: reads reject, and a client that can still hear it gets 400 (RFC 9112 §8)', async (t) => {
  const codes: string[] = [];
  const note = (error: unknown): never => {
    codes.push(error instanceof Failure ? error.code : String(error));
    throw error;
  };
  const served = await Served.start(t, (request) => request.text().then(json, note), {}, { body: 'manual' });
  const ended = async (bytes: string): Promise<WireResponse> => {
    const wire = await served.send(bytes);
    await served.doing('in-flight');
    wire.socket.end();
    return wire.response();
  };
  assert.equal((await ended(`${POST}content-length: 10\r\n\r\nhello`)).status, 400);
  assert.equal((await ended(`${POST}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`)).status, 400);
  assert.equal((await ended(`${POST}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n`)).status, 400);
  const wire = await served.send(`${POST}content-length: 10\r\n\r\nhello`);
  await served.doing('in-flight');
  wire.socket.resetAndDestroy();
  await eventually(() => codes.length === 4);
  assert.deepEqual(codes, ['body-truncated', 'body-truncated', 'body-truncated', 'client-gone']);
  await served.empty();
});
