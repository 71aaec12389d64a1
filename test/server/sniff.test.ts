import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect } from 'node:http2';
import { type TestContext, test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import { eventually, turns } from '../support/wire.ts';
import { type OpenedOptions, opened } from './opened.ts';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
/** An empty SETTINGS frame. */
const SETTINGS = '\0\0\0\x04\0\0\0\0\0';

const told: Handler = async (request) => ({
  status: 200,
  body: `${request.protocol} ${request.method} ${await request.text()}`,
});

const both = (t: TestContext, options: OpenedOptions = {}) =>
  opened(t, told, { ...options, listener: { protocols: ['h2', 'http1'], ...options.listener } });

/** What Node's own HTTP/2 client is answered. */
function ask(session: ClientHttp2Session, path = '/'): Promise<string> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path }).setEncoding('utf8').on('error', reject);
    let text = '';
    stream.on('data', (part: string) => {
      text += part;
    });
    stream.on('end', () => resolve(text));
  });
}

test('one plaintext port speaks HTTP/2 with prior knowledge and HTTP/1.1 (RFC 9113 §3.3)', async (t) => {
  const { port, wire: open } = await both(t);
  const session = connect(`http://127.0.0.1:${port}`);
  t.after(() => session.destroy());
  assert.equal(await ask(session), 'HTTP/2 GET ');
  const wire = (await open()).write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  assert.equal((await wire.response()).body, 'HTTP/1.1 GET ');
});

test('a preface that comes byte by byte is recognised', async (t) => {
  const { wire: open } = await both(t);
  const wire = await open();
  for (const byte of PREFACE) await wire.segment(byte);
  wire.write(SETTINGS);
  const answer = await wire.until((unread) => unread.length >= 18);
  assert.equal(answer.charCodeAt(3), 4, 'SETTINGS');
});

test('requests that begin like the preface are HTTP/1.1: each of their bytes is kept', async (t) => {
  const { wire: open } = await both(t);
  for (const cut of [1, 2, 3, 4]) {
    const wire = await open();
    const text = 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc';
    await wire.segment(text.slice(0, cut));
    await wire.segment(text.slice(cut));
    assert.equal((await wire.response()).body, 'HTTP/1.1 POST abc');
    wire.write('PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx');
    assert.equal((await wire.response()).body, 'HTTP/1.1 PUT x');
  }
});

test('what is neither is answered as a wrong HTTP/1.1 request, and so is a preface that breaks off', async (t) => {
  const { wire: open } = await both(t);
  for (const text of ['PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n', 'PRI * HTTP/1.1\r\nhost: a\r\n\r\n', '\x16\x03\x01']) {
    const wire = (await open()).write(text);
    assert.match(await wire.rest(), /^HTTP\/1\.1 (400|505) /, JSON.stringify(text));
  }
  const wire = (await open()).write('PRI * HT');
  wire.socket.end();
  assert.equal(await wire.closed(), 'fin');
});

test('a connection that says nothing, or not enough, has the deadlines of any other', async (t) => {
  const limits = { idleTimeoutMs: 5000, headTimeoutMs: 2000 };
  const { server, clock, wire: open } = await both(t, { listener: { limits } });
  const silent = await open();
  const half = await open();
  await half.segment('PRI * ');
  await turns(5);
  clock.advance(2000);
  await half.closed();
  assert.equal(silent.ended, null);
  clock.advance(3000);
  await silent.closed();
  await eventually(() => server.status().connections.total === 0);
  assert.deepEqual(server.status().listeners[0]?.closed, { 'request-timeout': 1, 'idle-timeout': 1 });
});

test('a client that leaves before it has said anything leaves nothing behind', async (t) => {
  const { server, wire: open } = await both(t);
  const wire = await open();
  await eventually(() => server.status().connections.total === 1);
  wire.socket.end();
  await wire.closed();
  await eventually(() => server.status().connections.total === 0);
  assert.deepEqual(server.status().listeners[0]?.closed, { 'client-closed': 1 });
});

for (const text of ['P', PREFACE.slice(0, -1)]) {
  test(`a client that leaves after ${JSON.stringify(text)} has closed its connection; nothing has failed`, async (t) => {
    const { server, wire: open } = await both(t);
    const wire = await open();
    await wire.segment(text);
    await turns(5);
    wire.socket.end();
    assert.equal(await wire.closed(), 'fin');
    await eventually(() => server.status().connections.total === 0);
    assert.deepEqual(server.status().listeners[0]?.closed, { 'client-closed': 1 });
  });
}

test('in a drain a silent connection has its quiet window, in which it may still speak either protocol', async (t) => {
  const { server, clock, port, wire: open, reaches } = await both(t, { drain: { quietMs: 1000 } });
  const silent = await open();
  const session = connect(`http://127.0.0.1:${port}`);
  t.after(() => session.destroy());
  assert.equal(await ask(session), 'HTTP/2 GET ');
  const late = await open();
  await eventually(() => server.status().connections.total === 3);
  const drained = server.drain();
  await reaches('finish');
  late.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  const response = await late.response();
  assert.deepEqual([response.body, response.get('connection')], ['HTTP/1.1 GET ', 'close']);
  late.socket.end();
  clock.advance(1000);
  assert.equal(await silent.rest(), '');
  const report = await drained;
  assert.deepEqual([report.outcome, report.mayHaveLostCount], ['clean', 0]);
});
