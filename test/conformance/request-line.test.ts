import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import { assertRefused, Served } from './served.ts';

/** Answers with what it was asked. */
const mirror: Handler = ({ method, target, authority, protocol, headers }) => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ method, target, authority, protocol, host: headers.getAll('host') }),
});

const refuser: Handler = () => {
  throw new Error('the handler was called');
};

test('a request line is three parts with one space between them, ended by CRLF (RFC 9112 §3)', async (t) => {
  const served = await Served.start(t, refuser);
  const rest = 'host: a\r\n\r\n';
  for (const line of [
    'GET  / HTTP/1.1\r\n',
    'GET /  HTTP/1.1\r\n',
    'GET / HTTP/1.1 \r\n',
    ' GET / HTTP/1.1\r\n',
    'GET\t/ HTTP/1.1\r\n',
    'GET /\tHTTP/1.1\r\n',
    'GET /\x0bHTTP/1.1\r\n',
    'GET / HTTP/1.1\t\r\n',
    'GET / x HTTP/1.1\r\n',
    'GET HTTP/1.1\r\n',
    'GET\r\n',
    '/ HTTP/1.1\r\n',
    'GET / HTTP/1.1\n',
    'GET / HTTP/1.1\r',
    'GET / HTTP/1.1\r\r\n',
    'GET /\r HTTP/1.1\r\n',
    'GET /\n HTTP/1.1\r\n',
    'GET / HTTP/1.1\0\r\n',
    'G\0T / HTTP/1.1\r\n',
  ]) {
    await assertRefused(served, line + rest, 400);
  }
});

test('the method is a token, and any token may be one (RFC 9110 §9.1)', async (t) => {
  const served = await Served.start(t, mirror);
  for (const method of ['get', 'PROPFIND', 'M-SEARCH', "!#$%&'*+-.^_`|~09", 'X'.repeat(64)]) {
    const wire = await served.send(`${method} / HTTP/1.1\r\nhost: a\r\n\r\n`);
    assert.equal(JSON.parse((await wire.response()).body).method, method);
  }
  for (const method of ['G(T', 'G"T', 'G@T', 'G{T', 'GÉT', 'GET:', 'X'.repeat(65)]) {
    await assertRefused(served, `${method} / HTTP/1.1\r\nhost: a\r\n\r\n`, 400);
  }
});

test('HTTP/1.1 and HTTP/1.0 are spoken, any other version is 505, and what is no version is 400 (RFC 9112 §2.3)', async (t) => {
  const served = await Served.start(t, mirror);
  const spoken = await served.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.equal(JSON.parse((await spoken.response()).body).protocol, 'HTTP/1.1');
  const old = await served.send('GET / HTTP/1.0\r\n\r\n');
  assert.equal(JSON.parse((await old.response()).body).protocol, 'HTTP/1.0');
  for (const version of ['HTTP/2.0', 'HTTP/1.2', 'HTTP/0.9', 'HTTP/3.0', 'HTTP/9.9']) {
    await assertRefused(served, `GET / ${version}\r\nhost: a\r\n\r\n`, 505);
  }
  await assertRefused(served, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505);
  for (const version of [
    'http/1.1',
    'HTTP/1',
    'HTTP/11',
    'HTTP/1.10',
    'HTTP/01.1',
    'HTTP/1,1',
    'HTTPS/1.1',
    'HTTP 1.1',
  ]) {
    await assertRefused(served, `GET / ${version}\r\nhost: a\r\n\r\n`, 400);
  }
});

test('a simple request of HTTP/0.9 is 400 (RFC 9112 §3)', async (t) => {
  const served = await Served.start(t, refuser);
  await assertRefused(served, 'GET /\r\n', 400);
  await assertRefused(served, 'GET /\n', 400);
});

test('empty lines before a request line are skipped, bare line feeds are not (RFC 9112 §2.2)', async (t) => {
  const served = await Served.start(t, mirror);
  const wire = await served.send(`\r\n\r\nGET /1 HTTP/1.1\r\nhost: a\r\n\r\n`);
  assert.equal(JSON.parse((await wire.response()).body).target, '/1');
  await wire.segment('\r');
  await wire.segment('\n');
  await wire.segment('\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.equal(JSON.parse((await wire.response()).body).target, '/2');
  await assertRefused(served, '\nGET / HTTP/1.1\r\nhost: a\r\n\r\n', 400);
  await assertRefused(served, '\r\n\nGET / HTTP/1.1\r\nhost: a\r\n\r\n', 400);
  await assertRefused(served, '\rGET / HTTP/1.1\r\nhost: a\r\n\r\n', 400);
});

test('many empty lines are skipped however they are cut, up to the size of a head', async (t) => {
  const served = await Served.start(t, mirror);
  const wire = await served.send(`${'\r\n'.repeat(8000)}GET /late HTTP/1.1\r\nhost: a\r\n\r\n`);
  assert.equal(JSON.parse((await wire.response()).body).target, '/late');
  const flood = await served.send('\r\n'.repeat(8193));
  assert.equal((await flood.response()).status, 431);
});

test('the target of origin-form arrives byte for byte (RFC 9112 §3.2.1)', async (t) => {
  const served = await Served.start(t, mirror);
  for (const target of ['/', '/a/../b//c', '/%00%2f?x=%zz&y', "/!$&'()*+,;=:@~", '/?', '//host/path', '/a?b?c/d']) {
    const wire = await served.send(`GET ${target} HTTP/1.1\r\nhost: a:80\r\n\r\n`);
    const asked = JSON.parse((await wire.response()).body);
    assert.equal(asked.target, target);
    assert.equal(asked.authority, 'a:80');
  }
});

test('a target with a fragment, beyond ASCII, or of no form is 400 (RFC 9112 §3.2)', async (t) => {
  const served = await Served.start(t, refuser);
  for (const target of ['/#a', '#', '/a#', 'path', 'a/b', '?x', '/\xe9', '/\x7f', '/\x01', 'www.example.com']) {
    await assertRefused(served, `GET ${target} HTTP/1.1\r\nhost: a\r\n\r\n`, 400);
  }
});

test('absolute-form is taken apart and its authority replaces the host (RFC 9112 §3.2.2)', async (t) => {
  const served = await Served.start(t, mirror);
  for (const [target, path, authority] of [
    ['http://b/x?y', '/x?y', 'b'],
    ['HTTP://b:8080/', '/', 'b:8080'],
    ['https://b', '/', 'b'],
    ['http://b?q', '/?q', 'b'],
    ['http://[::1]:80/x', '/x', '[::1]:80'],
    ['http://b//double', '//double', 'b'],
  ] as const) {
    const wire = await served.send(`GET ${target} HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n`);
    const asked = JSON.parse((await wire.response()).body);
    assert.deepEqual([asked.target, asked.authority, asked.host], [path, authority, [authority]]);
  }
  const old = await served.send('GET http://b/x HTTP/1.0\r\n\r\n');
  assert.deepEqual(JSON.parse((await old.response()).body).host, ['b']);
});

test('absolute-form with userinfo, without a host or of another scheme is 400 (RFC 9110 §4.2)', async (t) => {
  const served = await Served.start(t, refuser);
  for (const target of [
    'http://user@b/',
    'http://user:secret@b/',
    'http:///x',
    'http://:80/',
    'http:/x',
    'http:x',
    'ftp://b/',
    'file:///etc/passwd',
    'http://b:port/',
    'http://[::1/',
    'http://b%zz/',
    'http://b\\c/',
    'javascript:1',
  ]) {
    await assertRefused(served, `GET ${target} HTTP/1.1\r\nhost: a\r\n\r\n`, 400);
  }
  await assertRefused(served, 'GET http://b/ HTTP/1.1\r\n\r\n', 400);
});

test('authority-form belongs to CONNECT, which has no other, and needs a port (RFC 9112 §3.2.3)', async (t) => {
  const served = await Served.start(t, (request) => ({ status: 404, body: `${request.target} ${request.authority}` }));
  const wire = await served.send('CONNECT b:443 HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.equal((await wire.response()).body, 'b:443 b:443');
  for (const target of ['b', 'b:', '/', '/b:1', '*', 'http://b:1/', 'u@b:1', '[::1]', ':443', 'b:1/x', 'b:c']) {
    await assertRefused(served, `CONNECT ${target} HTTP/1.1\r\nhost: a\r\n\r\n`, 400);
  }
  await assertRefused(served, 'GET b:443 HTTP/1.1\r\nhost: a\r\n\r\n', 400);
});

test('the asterisk belongs to OPTIONS (RFC 9112 §3.2.4)', async (t) => {
  const served = await Served.start(t, mirror);
  for (const target of ['*', 'http://a']) {
    const wire = await served.send(`OPTIONS ${target} HTTP/1.1\r\nhost: a\r\n\r\n`);
    assert.equal(JSON.parse((await wire.response()).body).target, '*');
  }
  const wire = await served.send('OPTIONS http://a/ HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.equal(JSON.parse((await wire.response()).body).target, '/');
  await assertRefused(served, 'GET * HTTP/1.1\r\nhost: a\r\n\r\n', 400);
  await assertRefused(served, 'OPTIONS ** HTTP/1.1\r\nhost: a\r\n\r\n', 400);
});

test('TRACE is refused with 405 and a list of what is allowed: it would echo credentials (RFC 9110 §9.3.8)', async (t) => {
  const served = await Served.start(t, refuser);
  await assertRefused(served, 'TRACE / HTTP/1.1\r\nhost: a\r\n\r\n', 405);
  const wire = await served.send('TRACE / HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.match((await wire.response()).get('allow') ?? '', /\bGET\b/);
});
