import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import { assertRefused, GET, Served } from './served.ts';

const refuser: Handler = () => {
  throw new Error('the handler was called');
};

/** Answers with the header lines it has seen. */
const mirror: Handler = ({ headers, authority }) => ({
  status: 200,
  body: JSON.stringify({ pairs: headers.pairs, authority }),
});

test('a field line is a token, a colon and a value (RFC 9112 §5)', async (t) => {
  const served = await Served.start(t, refuser);
  for (const line of [
    'name : value\r\n',
    'name\t: value\r\n',
    ' name: value\r\n',
    '\tname: value\r\n',
    ': value\r\n',
    'name\r\n',
    'na me: value\r\n',
    'na(me: value\r\n',
    'na"me: value\r\n',
    'na/me: value\r\n',
    'na\x7fme: value\r\n',
    'na\0me: value\r\n',
    'na\xe9me: value\r\n',
    'na\rme: value\r\n',
    '\r: value\r\n',
    'name;: value\r\n',
    '{name}: value\r\n',
  ]) {
    await assertRefused(served, `${GET}${line}\r\n`, 400);
    await assertRefused(served, `${GET}before: 1\r\n${line}after: 2\r\n\r\n`, 400);
    await assertRefused(served, `GET / HTTP/1.1\r\n${line}host: a\r\n\r\n`, 400);
  }
});

test('a value has no control characters but the tab (RFC 9110 §5.5)', async (t) => {
  const served = await Served.start(t, refuser);
  for (let code = 0; code < 0x20; code += 1) {
    if (code === 0x09) continue;
    await assertRefused(served, `${GET}name: a${String.fromCharCode(code)}b\r\n\r\n`, 400);
  }
  await assertRefused(served, `${GET}name: a\x7fb\r\n\r\n`, 400);
  await assertRefused(served, `${GET}name: \0\r\n\r\n`, 400);
});

test('a line ends in CRLF, never in a bare CR or LF (RFC 9112 §2.2)', async (t) => {
  const served = await Served.start(t, refuser);
  for (const bytes of [
    'GET / HTTP/1.1\r\nhost: a\n\r\n',
    'GET / HTTP/1.1\r\nhost: a\r\n\n',
    'GET / HTTP/1.1\r\nhost: a\r\nx: y\n\n',
    'GET / HTTP/1.1\nhost: a\n\n',
    'GET / HTTP/1.1\r\nhost: a\r\r\n\r\n',
    'GET / HTTP/1.1\r\nhost: a\r\n\r\r\n',
    'GET / HTTP/1.1\r\nhost: a\rx: y\r\n\r\n',
    'GET / HTTP/1.1\r\nhost: a\r\nx: y\n z: 1\r\n\r\n',
  ]) {
    await assertRefused(served, bytes, 400);
  }
});

test('a folded line is 400 (RFC 9112 §5.2)', async (t) => {
  const served = await Served.start(t, refuser);
  for (const bytes of [
    `${GET}name: a\r\n b\r\n\r\n`,
    `${GET}name: a\r\n\tb\r\n\r\n`,
    `${GET}name:\r\n \r\n\r\n`,
    'GET / HTTP/1.1\r\n host: a\r\n\r\n',
    'GET / HTTP/1.1\r\nhost:\r\n a\r\n\r\n',
  ]) {
    await assertRefused(served, bytes, 400);
  }
});

test('values come without the space around them, and with every other byte (RFC 9112 §5.1)', async (t) => {
  const served = await Served.start(t, mirror);
  const wire = await served.send(
    `${GET}x:1\r\nX: \t 2\t \r\nEmpty:\r\nBlank:  \r\ny: a \tb\r\nobs: \xa0\xff\xe9\xa0\r\n\r\n`,
  );
  assert.deepEqual(JSON.parse(Buffer.from((await wire.response()).body, 'latin1').toString()).pairs, [
    ...['host', 'a', 'x', '1', 'X', '2', 'Empty', '', 'Blank', '', 'y', 'a \tb', 'obs', '\xa0\xff\xe9\xa0'],
  ]);
});

test('HTTP/1.1 has exactly one valid host (RFC 9112 §3.2)', async (t) => {
  const served = await Served.start(t, refuser);
  for (const lines of [
    '',
    'x: y\r\n',
    'host: a\r\nhost: b\r\n',
    'host: a\r\nHost: a\r\n',
    'host: a\r\nhost:\r\n',
    'host:\r\n',
    'host: \t \r\n',
    'host: a b\r\n',
    'host: a, b\r\n',
    'host: a/b\r\n',
    'host: user@a\r\n',
    'host: a:80x\r\n',
    'host: a:-1\r\n',
    'host: a:80:80\r\n',
    'host: a:123456\r\n',
    'host: http://a\r\n',
    'host: a?b\r\n',
    'host: a#b\r\n',
    'host: a\\b\r\n',
    'host: [::1\r\n',
    'host: ::1\r\n',
    'host: [g::1]\r\n',
    'host: a%\r\n',
    'host: a%0\r\n',
    'host: a%zz\r\n',
    'host: :80\r\n',
    'host: \xe9\r\n',
    'host: \xa0a\r\n',
    'host: a\xa0\r\n',
    'host: <a>\r\n',
    'host: a"\r\n',
  ]) {
    await assertRefused(served, `GET / HTTP/1.1\r\n${lines}\r\n`, 400);
  }
});

test('host names, addresses and ports are taken as they are', async (t) => {
  const served = await Served.start(t, mirror);
  for (const host of [
    'a',
    'EXAMPLE.com',
    'a:80',
    'a:',
    '127.0.0.1:8080',
    '[::1]',
    '[::ffff:1.2.3.4]:443',
    'a_b-c.~d',
    'a%20b',
    "a!$&'()*+;=b",
  ]) {
    const wire = await served.send(`GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    assert.equal(JSON.parse((await wire.response()).body).authority, host);
  }
});

test('HTTP/1.0 may leave the host out, but not send two or an invalid one', async (t) => {
  const served = await Served.start(t, mirror);
  const wire = await served.send('GET / HTTP/1.0\r\n\r\n');
  assert.equal(JSON.parse((await wire.response()).body).authority, '');
  const named = await served.send('GET / HTTP/1.0\r\nhost: a\r\n\r\n');
  assert.equal(JSON.parse((await named.response()).body).authority, 'a');
  for (const lines of ['host: a\r\nhost: a\r\n', 'host: a b\r\n', 'host:\r\n']) {
    await assertRefused(served, `GET / HTTP/1.0\r\n${lines}\r\n`, 400);
  }
});

test('a refusal is told while the client still sends, and nothing of that is read as a request (RFC 9112 §9.6)', async (t) => {
  let calls = 0;
  const served = await Served.start(t, () => {
    calls += 1;
    return { status: 200 };
  });
  const wire = await served.send('GET / HTTP/1.1\r\nhost: a\r\nbad name: x\r\n\r\n');
  for (let count = 0; count < 50; count += 1) await wire.segment(`${GET}\r\n`.repeat(1000));
  assert.equal((await wire.response()).status, 400);
  assert.equal(await wire.rest(), '');
  assert.equal(await wire.closed(), 'fin');
  assert.equal(calls, 0);
});

test('a connection that was refused is let go of after a while, even if the client stays (RFC 9112 §9.6)', async (t) => {
  const served = await Served.start(t, refuser);
  const wire = await served.send('bad\n');
  await wire.response();
  await wire.closed();
  await served.pass(1500);
  assert.equal(served.server.status().connections.total, 1);
  await served.pass(1000);
  await served.closedFor('bad-request');
  assert.equal(served.server.status().connections.total, 0);
});
