import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/core/failure.ts';
import type { Handler } from '../../src/core/handler.ts';
import { assertRefused, POST, Served } from './served.ts';

const CHUNKED = `${POST}transfer-encoding: chunked\r\n\r\n`;

/** Answers with the body and the trailers it has got. */
const mirror: Handler = async (request) => {
  const body = await request.text();
  return { status: 200, headers: { trailers: JSON.stringify(request.trailers?.pairs ?? null) }, body };
};

test('chunks are put together, whatever their size and the case of its digits (RFC 9112 §7.1)', async (t) => {
  const served = await Served.start(t, mirror);
  const wire = await served.send(
    `${CHUNKED}5\r\nhello\r\n0001\r\n \r\n${'a'.toUpperCase()}\r\n0123456789\r\nb\r\nabcdefghijk\r\n000\r\n\r\n`,
  );
  assert.equal((await wire.response()).body, 'hello 0123456789abcdefghijk');
  wire.write(`${CHUNKED}0\r\n\r\n`);
  assert.equal((await wire.response()).body, '');
});

test('a body that arrives byte by byte is the same body', async (t) => {
  const served = await Served.start(t, mirror);
  const wire = await served.open();
  for (const byte of `${CHUNKED}3;x="y z"\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nx: y\r\n\r\n`)
    await wire.segment(byte);
  const response = await wire.response();
  assert.equal(response.body, 'abc0123456789abcdef');
  assert.equal(response.get('trailers'), '["x","y"]');
});

test('a chunk size is hexadecimal digits and nothing else (RFC 9112 §7.1)', async (t) => {
  const served = await Served.start(t, mirror);
  for (const size of [
    '0x5',
    '-5',
    '+5',
    ' 5',
    '5 ',
    '5\t',
    '1_0',
    'g',
    '',
    '5,',
    '5.0',
    '\xb2',
    '5\x0b',
    '5\0',
    '\r',
  ]) {
    await assertRefused(served, `${CHUNKED}${size}\r\nhello\r\n0\r\n\r\n`, 400);
  }
});

test('a chunk size that overflows is 400, however many zeros it begins with', async (t) => {
  const served = await Served.start(t, mirror);
  for (const size of ['10000000000000005', 'ffffffffffffffff', '100000005'.padStart(40, '0'), `${'f'.repeat(4000)}`]) {
    await assertRefused(served, `${CHUNKED}${size}\r\nhello\r\n0\r\n\r\n`, 400);
  }
});

test('the data of a chunk is followed by CRLF (RFC 9112 §7.1)', async (t) => {
  const served = await Served.start(t, mirror);
  for (const chunk of [
    '5\r\nhelloX\r\n',
    '5\r\nhello\n',
    '5\r\nhello\rX',
    '5\r\nhello0\r\n',
    '4\r\nhello\r\n',
    '5\r\nhello\r\r\n',
    '5\r\nhell\r\n0\r\n\r\n0\r\n\r\n',
  ]) {
    await assertRefused(served, `${CHUNKED}${chunk}0\r\n\r\n`, 400);
  }
});

test('the lines of a chunked body end in CRLF (RFC 9112 §2.2)', async (t) => {
  const served = await Served.start(t, mirror);
  for (const body of [
    '5\nhello\r\n0\r\n\r\n',
    '5\rhello\r\n0\r\n\r\n',
    '5;x\nhello\r\n0\r\n\r\n',
    '5;x\ry\r\nhello\r\n0\r\n\r\n',
    '5\r\nhello\r\n0\n\r\n',
    '5\r\nhello\r\n0\r\n\n',
    '5\r\nhello\r\n0\r\nx: y\n\r\n',
    '5\r\nhello\r\n0\r\nx: y\r\n\n',
    '5\r\nhello\r\n0\r\n\rX',
  ]) {
    const wire = await served.send(`${CHUNKED}${body}\n`);
    const response = await wire.response();
    assert.equal(response.status, 400, JSON.stringify(body));
    assert.equal(await wire.rest(), '');
  }
});

test('extensions are skipped (RFC 9112 §7.1.1)', async (t) => {
  const served = await Served.start(t, mirror);
  for (const extension of [';x', ';x=y', ';x="y;\t z"', ';x;y=1', '; x = y', ';\xe9', ';x="\xff"']) {
    const wire = await served.send(`${CHUNKED}5${extension}\r\nhello\r\n0${extension}\r\n\r\n`);
    assert.equal((await wire.response()).body, 'hello');
  }
});

test('extensions with control characters are 400, and so are more than 4 KiB of them in one body', async (t) => {
  const served = await Served.start(t, mirror);
  for (const extension of [';', ';x;', ';\0', ';x\x7f', ';x\x0b', ' ;x', '\t;x', 'x;']) {
    await assertRefused(served, `${CHUNKED}5${extension}\r\nhello\r\n0\r\n\r\n`, 400);
  }
  await assertRefused(served, `${CHUNKED}5;${'x'.repeat(5000)}\r\nhello\r\n0\r\n\r\n`, 400);
  await assertRefused(served, `${CHUNKED}${`1;${'x'.repeat(60)}\r\na\r\n`.repeat(80)}0\r\n\r\n`, 400);
  const wire = await served.send(`${CHUNKED}5;${'x'.repeat(4000)}\r\nhello\r\n0\r\n\r\n`);
  assert.equal((await wire.response()).status, 200);
});

test('trailers are for the handler to read, once the body has ended (RFC 9112 §7.1.2)', async (t) => {
  const served = await Served.start(t, mirror);
  const wire = await served.send(`${CHUNKED}5\r\nhello\r\n0\r\nX-Sum:  abc \r\nx-sum: d\r\nempty:\r\n\r\n`);
  assert.equal((await wire.response()).get('trailers'), '["X-Sum","abc","x-sum","d","empty",""]');
  wire.write(`${CHUNKED}0\r\n\r\n`);
  assert.equal((await wire.response()).get('trailers'), 'null');
});

test('a trailer line must be a valid field line (RFC 9112 §7.1.2)', async (t) => {
  const served = await Served.start(t, mirror);
  for (const line of ['x', 'x : y', ' x: y', ': y', 'x: \0', 'x: a\rb', 'x: a\x7f', 'b\xe9: y', 'x: y\r\n folded']) {
    await assertRefused(served, `${CHUNKED}0\r\n${line}\r\n\r\n`, 400);
  }
});

test('a trailer must not be about framing, routing or the connection (RFC 9110 §6.5.1)', async (t) => {
  const served = await Served.start(t, mirror);
  for (const name of ['Content-Length', 'transfer-encoding', 'host', 'connection', 'trailer', 'te', 'upgrade']) {
    await assertRefused(served, `${CHUNKED}0\r\n${name}: 1\r\n\r\n`, 400);
  }
});

test('trailers are as limited as a head', async (t) => {
  const served = await Served.start(t, mirror);
  await assertRefused(served, `${CHUNKED}0\r\nx: ${'y'.repeat(17_000)}\r\n\r\n`, 400);
  await assertRefused(served, `${CHUNKED}0\r\n${'x: y\r\n'.repeat(3000)}\r\n`, 400);
  await assertRefused(served, `${CHUNKED}0\r\nx: ${'y'.repeat(40_000)}`, 400);
});

test('a broken chunk that comes after the handler has begun is told to it, and the connection ends', async (t) => {
  const codes: string[] = [];
  const served = await Served.start(
    t,
    async (request) => {
      try {
        await request.text();
      } catch (error) {
        codes.push(error instanceof Failure ? error.code : String(error));
        throw error;
      }
      return { status: 200 };
    },
    {},
    { body: 'manual' },
  );
  const wire = await served.send(`${CHUNKED}5\r\nhello\r\n`);
  await served.doing('in-flight');
  wire.write(`zzz\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n`);
  const response = await wire.response();
  assert.equal(response.status, 400);
  assert.equal(response.get('connection'), 'close');
  assert.equal(await wire.rest(), '');
  assert.deepEqual(codes, ['chunk-invalid']);
  assert.equal(served.server.status().requests.served, 1);
});
