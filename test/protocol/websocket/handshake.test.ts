import assert from 'node:assert/strict';
import { test } from 'node:test';
import { websocket } from '../../../src/protocol/websocket/server.ts';
import { FakeExchange, makeRequest } from '../../support/request.ts';
import { ACCEPT, Endpoint, echo, handshake, KEY } from './endpoint.ts';

test('a handshake is answered with the accept value of its key (RFC 6455 §4.2.2)', async (t) => {
  const endpoint = await Endpoint.start(t);
  const answer = await endpoint.answer(handshake());
  assert.equal(answer.status, 101);
  assert.equal(answer.get('sec-websocket-accept'), ACCEPT);
  assert.equal(answer.get('upgrade'), 'websocket');
  assert.equal(answer.get('connection'), 'upgrade');
  assert.equal(answer.get('sec-websocket-protocol'), null);
  assert.equal(answer.get('sec-websocket-extensions'), null);
});

test('names of protocols are compared without regard to case (RFC 6455 §4.2.1)', async (t) => {
  const endpoint = await Endpoint.start(t);
  const fields = { upgrade: 'WebSocket', connection: 'keep-alive, UPGRADE' };
  assert.equal((await endpoint.answer(handshake(fields))).status, 101);
});

test('who does not ask for a WebSocket of version 13 is told what is spoken here (RFC 6455 §4.4, RFC 9110 §15.5.22)', async (t) => {
  const endpoint = await Endpoint.start(t);
  for (const fields of [
    { 'sec-websocket-version': null },
    { 'sec-websocket-version': '8' },
    { 'sec-websocket-version': '13, 8' },
    { 'sec-websocket-version': '13\r\nsec-websocket-version: 13' },
    { upgrade: 'chat' },
    { upgrade: null },
    { connection: 'keep-alive' },
  ]) {
    const answer = await endpoint.answer(handshake(fields));
    assert.equal(answer.status, 426, JSON.stringify(fields));
    assert.equal(answer.get('upgrade'), 'websocket');
    assert.equal(answer.get('sec-websocket-version'), '13');
  }
});

test('a key that is not 16 bytes in base64, or comes twice, is 400 (RFC 6455 §4.2.1)', async (t) => {
  const endpoint = await Endpoint.start(t);
  for (const key of [
    null,
    'short',
    `${KEY}=`,
    KEY.slice(1),
    KEY.replace('d', '!'),
    `${KEY}\r\nsec-websocket-key: ${KEY}`,
  ]) {
    assert.equal((await endpoint.answer(handshake({ 'sec-websocket-key': key }))).status, 400, String(key));
  }
});

test('only GET opens a WebSocket, without a body, and HTTP/1.0 opens none', async (t) => {
  const endpoint = await Endpoint.start(t);
  const answer = await endpoint.answer(handshake({ 'content-length': '0' }, 'POST /chat HTTP/1.1'));
  assert.deepEqual([answer.status, answer.get('allow')], [405, 'GET']);
  assert.equal((await endpoint.answer(`${handshake({ 'content-length': '3' })}abc`)).status, 400);
  assert.equal((await endpoint.answer(handshake({}, 'GET /chat HTTP/1.0'))).status, 426);
});

test('the first of the client’s sub-protocols that we speak is chosen; their case counts (RFC 6455 §4.2.2)', async (t) => {
  const endpoint = await Endpoint.start(t, echo, { protocols: ['chat.v1', 'chat.v2'] });
  const chosen = async (offered: string): Promise<string | null> =>
    (await endpoint.answer(handshake({ 'sec-websocket-protocol': offered }))).get('sec-websocket-protocol');
  assert.equal(await chosen('other, chat.v2 ,chat.v1'), 'chat.v2');
  assert.equal(await chosen('CHAT.V1'), null);
  assert.equal(await chosen('other\r\nsec-websocket-protocol: chat.v1'), 'chat.v1');
});

test('a function may choose the sub-protocol, and the socket knows it', async (t) => {
  const known: (string | null)[] = [];
  const endpoint = await Endpoint.start(t, (socket) => void known.push(socket.protocol), {
    protocols: (offered, request) => (request.path === '/chat' ? (offered[1] ?? null) : null),
  });
  await endpoint.open({ 'sec-websocket-protocol': 'a, b' });
  await endpoint.open();
  assert.deepEqual(known, ['b', null]);
});

test('sub-protocols that are no names or come twice, and extensions that are not valid, are 400 (RFC 6455 §4.1, §9.1)', async (t) => {
  const endpoint = await Endpoint.start(t, echo, { deflate: true });
  for (const value of ['a,,b', 'a b', 'a, a', 'a;b', '']) {
    assert.equal((await endpoint.answer(handshake({ 'sec-websocket-protocol': value }))).status, 400, value);
  }
  for (const value of ['a,,b', 'a b', 'a;', 'a; b=', 'a; b="c', 'a; b="c d"', '']) {
    assert.equal((await endpoint.answer(handshake({ 'sec-websocket-extensions': value }))).status, 400, value);
  }
});

test('a page from another host or port is 403; clients that are no browsers send no origin', async (t) => {
  const endpoint = await Endpoint.start(t);
  const status = async (origin: string | null, host = 'server.example.com'): Promise<number> =>
    (await endpoint.answer(handshake({ origin, host }))).status;
  assert.equal(await status(null), 101);
  assert.equal(await status('https://server.example.com'), 101);
  assert.equal(await status('https://SERVER.example.com:443'), 101);
  assert.equal(await status('http://server.example.com:8080', 'server.example.com:8080'), 101);
  assert.equal(await status('http://server.example.com', 'server.example.com:80'), 101);
  for (const origin of ['https://example.com', 'https://server.example.com:444', 'null', 'server.example.com', '']) {
    assert.equal(await status(origin), 403, origin);
  }
  assert.equal(await status('https://server.example.com\r\norigin: https://example.com'), 403);
});

test('origins may be a list, or any', async (t) => {
  const listed = await Endpoint.start(t, echo, { origins: ['https://Example.com', 'http://b.example:81'] });
  assert.equal((await listed.answer(handshake({ origin: 'https://example.com' }))).status, 101);
  assert.equal((await listed.answer(handshake({ origin: 'https://server.example.com' }))).status, 403);
  const open = await Endpoint.start(t, echo, { origins: null });
  assert.equal((await open.answer(handshake({ origin: 'https://anybody.example' }))).status, 101);
});

test('over HTTP/2 there is neither a key nor an accept value, and no 426 (RFC 8441 §5, RFC 9113 §8.6)', async () => {
  const handler = websocket(echo);
  const headers = { 'sec-websocket-version': '13' };
  const ask = (upgrade: string | null) =>
    handler(makeRequest('GET', '/chat', { headers, protocol: 'HTTP/2', exchange: new FakeExchange(null, upgrade) }));
  const opened = await ask('websocket');
  assert.equal(opened.status, 101);
  assert.deepEqual(opened.headers, { upgrade: 'websocket' });
  assert.ok(opened.takeover !== undefined && opened.onDrain !== undefined);
  assert.equal((await ask(null)).status, 400);
});

test('wrong options are told when the endpoint is made', () => {
  for (const [options, message] of [
    [{ messageMaxBytes: 0 }, /messageMaxBytes/],
    [{ pingIntervalMs: -1 }, /pingIntervalMs/],
    [{ closeTimeoutMs: null }, /closeTimeoutMs/],
    [{ origins: ['example.com'] }, /example\.com/],
    [{ protocols: ['a b'] }, /a b/],
    [{ deflate: { windowBits: 8 } }, /windowBits/],
    [{ deflate: { level: 0 } }, /level/],
    [{ deflate: { memLevel: 10 } }, /memLevel/],
    [{ deflate: { treshold: 1 } }, /treshold/],
  ] as const) {
    assert.throws(() => Reflect.apply(websocket, null, [echo, options]), { name: 'TypeError', message });
  }
});
