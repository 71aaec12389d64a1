import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import { assertRefused, POST, Served } from './served.ts';

const refuser: Handler = () => {
  throw new Error('the handler was called');
};

/** Answers with the body it has got. */
const mirror: Handler = async (request) => ({ status: 200, body: await request.bytes() });

test('a content-length delimits the body, and what follows is the next request (RFC 9112 §6.2)', async (t) => {
  const served = await Served.start(t, mirror);
  const wire = await served.send(
    `${POST}content-length: 5\r\n\r\nhello${POST}Content-Length:\t0 \r\n\r\n${POST}content-length: 003\r\n\r\nabc`,
  );
  assert.equal((await wire.response()).body, 'hello');
  assert.equal((await wire.response()).body, '');
  assert.equal((await wire.response()).body, 'abc');
});

test('a request without a length has no body (RFC 9112 §6.3)', async (t) => {
  const served = await Served.start(t, ({ incoming }) => ({ status: 200, body: String(incoming === null) }));
  const wire = await served.send(`${POST}\r\n${POST}\r\n`);
  assert.equal((await wire.response()).body, 'true');
  assert.equal((await wire.response()).body, 'true');
});

test('a content-length is digits and nothing else (RFC 9110 §8.6)', async (t) => {
  const served = await Served.start(t, refuser);
  for (const value of [
    '',
    '+5',
    '-5',
    '-0',
    '5,5',
    '5, 5',
    '5 5',
    '5;',
    '5.0',
    '0x5',
    '5e0',
    '1_0',
    'five',
    '"5"',
    '\xa05',
    '5\xa0',
    '\xb2',
    '9007199254740993',
    '18446744073709551617',
    '99999999999999999999999999',
  ]) {
    await assertRefused(served, `${POST}content-length: ${value}\r\n\r\nhello`, 400);
  }
});

test('two content-lengths are 400, even if they agree (stricter than RFC 9112 §6.3)', async (t) => {
  const served = await Served.start(t, refuser);
  await assertRefused(served, `${POST}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`, 400);
  await assertRefused(served, `${POST}content-length: 5\r\nContent-Length: 5\r\n\r\nhello`, 400);
  await assertRefused(served, `${POST}content-length: 0\r\ncontent-length: 0\r\n\r\n`, 400);
  await assertRefused(served, `${POST}content-length:\r\ncontent-length: 5\r\n\r\nhello`, 400);
});

test('content-length together with transfer-encoding is 400, in either order (RFC 9112 §6.3)', async (t) => {
  const served = await Served.start(t, refuser);
  const chunks = '5\r\nhello\r\n0\r\n\r\n';
  await assertRefused(served, `${POST}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`, 400);
  await assertRefused(served, `${POST}transfer-encoding: chunked\r\ncontent-length: 15\r\n\r\n${chunks}`, 400);
  await assertRefused(served, `${POST}transfer-encoding: gzip\r\ncontent-length: 15\r\n\r\n${chunks}`, 400);
  await assertRefused(served, `${POST}transfer-encoding:\r\ncontent-length: 0\r\n\r\n`, 400);
});

test('transfer-encoding is exactly chunked, in any case (RFC 9112 §6.1)', async (t) => {
  const served = await Served.start(t, mirror);
  for (const value of ['chunked', 'Chunked', 'CHUNKED', '  chunked\t']) {
    const wire = await served.send(`${POST}transfer-encoding:${value}\r\n\r\n5\r\nhello\r\n0\r\n\r\n`);
    assert.equal((await wire.response()).body, 'hello');
  }
});

test('a transfer coding that is not spoken here is 501 (RFC 9112 §6.1)', async (t) => {
  const served = await Served.start(t, refuser);
  for (const value of [
    'gzip',
    'deflate',
    'identity',
    'xchunked',
    'chunke',
    'gzip, deflate',
    'x-custom',
    'gzip, chunked',
    'identity, chunked',
  ]) {
    await assertRefused(served, `${POST}transfer-encoding: ${value}\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, 501);
  }
});

test('a transfer-encoding that two readers could read in two ways is 400 (RFC 9112 §11.2)', async (t) => {
  const served = await Served.start(t, refuser);
  for (const value of [
    '',
    ',',
    'chunked, gzip',
    'chunked, chunked',
    'chunked,',
    ',chunked',
    'chunked, identity',
    '"chunked"',
    'chunked;q=1',
    'chun ked',
    'chunked x',
    '\xa0chunked',
    'chunked\xa0',
    'chunked;',
    'chunked\x0b',
    '\x0bchunked',
    'chunked\0',
  ]) {
    await assertRefused(served, `${POST}transfer-encoding: ${value}\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, 400);
  }
  for (const lines of [
    'transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n',
    'transfer-encoding: chunked\r\nTransfer-Encoding: identity\r\n',
    'transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n',
    'transfer-encoding:\r\ntransfer-encoding: chunked\r\n',
  ]) {
    await assertRefused(served, `${POST}${lines}\r\n5\r\nhello\r\n0\r\n\r\n`, 400);
  }
});

test('HTTP/1.0 has no transfer codings (RFC 9112 §6.1)', async (t) => {
  const served = await Served.start(t, refuser);
  await assertRefused(served, 'POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', 400);
  await assertRefused(
    served,
    'POST / HTTP/1.0\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
  );
});

test('framing is judged the same when the same fields come again', async (t) => {
  const served = await Served.start(t, mirror);
  const wire = await served.open();
  for (let count = 0; count < 3; count += 1) {
    wire.write(`${POST}content-length: 2\r\n\r\nok`);
    assert.equal((await wire.response()).body, 'ok');
  }
  for (let count = 0; count < 3; count += 1) {
    await assertRefused(served, `${POST}content-length: 2x\r\n\r\nok`, 400);
    await assertRefused(served, `GET / HTTP/1.1\r\nhost: a b\r\n\r\n`, 400);
  }
});
