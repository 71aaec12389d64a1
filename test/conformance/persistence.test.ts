import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import { eventually, turns } from '../support/wire.ts';
import { GET, Served } from './served.ts';

const ok: Handler = ({ target }) => ({ status: 200, body: target });
const get = (path: string, lines = ''): string => `GET ${path} HTTP/1.1\r\nhost: a\r\n${lines}\r\n`;
const get10 = (path: string, lines = ''): string => `GET ${path} HTTP/1.0\r\n${lines}\r\n`;

test('an HTTP/1.1 connection persists until either side says close (RFC 9112 §9.3)', async (t) => {
  const served = await Served.start(t, ok);
  const wire = await served.send(get('/1'));
  const first = await wire.response();
  assert.equal(first.get('connection'), null);
  wire.write(get('/2', 'connection: keep-alive, x\r\n'));
  assert.equal((await wire.response()).get('connection'), null);
  wire.write(get('/3', 'Connection: x\r\nconnection: Close\r\n'));
  const last = await wire.response();
  assert.deepEqual([last.body, last.get('connection')], ['/3', 'close']);
  assert.equal(await wire.closed(), 'fin');
});

test('an HTTP/1.0 connection persists only when the client asks, and is told so (RFC 9112 §9.3)', async (t) => {
  const served = await Served.start(t, ok);
  const wire = await served.send(get10('/1', 'connection: Keep-Alive\r\n'));
  assert.equal((await wire.response()).get('connection'), 'keep-alive');
  wire.write(get10('/2', 'connection: keep-alive\r\nconnection: close\r\n'));
  assert.equal((await wire.response()).get('connection'), 'close');
  assert.equal(await wire.closed(), 'fin');
  const once = await served.send(get10('/3'));
  assert.equal((await once.response()).get('connection'), 'close');
  assert.equal(await once.closed(), 'fin');
});

test('pipelined requests are answered in order, in one write where the handler is synchronous (RFC 9112 §9.3.2)', async (t) => {
  const served = await Served.start(t, ok);
  const wire = await served.send(Array.from({ length: 20 }, (_, index) => get(`/${index}`)).join(''));
  for (let index = 0; index < 20; index += 1) assert.equal((await wire.response()).body, `/${index}`);
  assert.equal(wire.readCount, 1);
});

test('pipelined answers keep their order when some handlers take their time', async (t) => {
  const pending = new Map<string, () => void>();
  const handler: Handler = ({ target }) => {
    if (target.startsWith('/now')) return { status: 200, body: target };
    return new Promise((resolve) => {
      pending.set(target, () => resolve({ status: 200, body: target }));
    });
  };
  const served = await Served.start(t, handler);
  const paths = ['/now1', '/late1', '/now2', '/now3', '/late2', '/late3', '/now4'];
  const wire = await served.send(paths.map((path) => get(path)).join(''));
  assert.equal((await wire.response()).body, '/now1');
  for (const path of ['/late1', '/late2', '/late3']) {
    await eventually(() => pending.has(path));
    assert.equal(wire.unread, '', 'nothing overtakes');
    assert.equal(pending.size, 1, 'one request of a connection at a time');
    pending.get(path)?.();
    pending.delete(path);
    for (const next of paths.slice(paths.indexOf(path))) {
      if (next !== path && next.startsWith('/late')) break;
      assert.equal((await wire.response()).body, next);
    }
  }
});

test('what a client may send ahead of an answer is bounded: it is paused, and nothing is lost', async (t) => {
  const gate = Promise.withResolvers<void>();
  let answered = 0;
  const served = await Served.start(t, async ({ target }) => {
    if (target === '/first') await gate.promise;
    answered += 1;
    return { status: 200, body: 'ok' };
  });
  const wire = await served.send(get('/first'));
  const count = 20_000;
  const many = Buffer.from(get('/next', `x: ${'y'.repeat(400)}\r\n`).repeat(count));
  wire.write(many);
  await turns(200);
  assert.ok(wire.socket.writableLength > 0, 'the client could send everything');
  assert.ok(many.length > 8_000_000);
  assert.equal(answered, 0);
  gate.resolve();
  for (let index = 0; index <= count; index += 1) await wire.response();
  assert.equal(answered, count + 1);
});

test('a client that does not take its answers is not read from until it does', async (t) => {
  let answered = 0;
  const body = 'x'.repeat(50_000);
  const served = await Served.start(t, () => {
    answered += 1;
    return { status: 200, body };
  });
  const wire = await served.open();
  wire.socket.pause();
  const count = 1000;
  wire.write(get('/').repeat(count));
  await turns(100);
  const before = answered;
  assert.ok(before < count, 'everything was answered into memory');
  await turns(50);
  assert.equal(answered, before);
  wire.socket.resume();
  for (let index = 0; index < count; index += 1) assert.equal((await wire.response()).body.length, body.length);
});

test('the last request that a connection may carry is answered with close', async (t) => {
  const served = await Served.start(t, ok, { requestsPerConnectionMaxCount: 3 });
  const wire = await served.send(get('/1') + get('/2') + get('/3') + get('/4'));
  assert.equal((await wire.response()).get('connection'), null);
  assert.equal((await wire.response()).get('connection'), null);
  const last = await wire.response();
  assert.deepEqual([last.body, last.get('connection')], ['/3', 'close']);
  assert.equal(await wire.rest(), '');
  wire.socket.end();
  await served.closedFor('requests-exhausted');
});

test('a client that has shut its sending side still gets its answers (RFC 9112 §9.6)', async (t) => {
  const gate = Promise.withResolvers<void>();
  const served = await Served.start(t, async ({ target }) => {
    await gate.promise;
    return { status: 200, body: target };
  });
  const wire = await served.send(get('/1') + get('/2'));
  wire.socket.end();
  await served.doing('in-flight');
  await turns(20);
  gate.resolve();
  assert.equal((await wire.response()).body, '/1');
  const last = await wire.response();
  assert.deepEqual([last.body, last.get('connection')], ['/2', 'close']);
  assert.equal(await wire.closed(), 'fin');
  await served.empty();
});

test('a connection whose client ends it between requests is ended, too', async (t) => {
  const served = await Served.start(t, ok);
  for (const bytes of ['', get('/1'), 'GET / HT', '\r\n']) {
    const wire = await served.send(bytes);
    if (bytes.endsWith('\r\n\r\n')) await wire.response();
    wire.socket.end();
    assert.equal(await wire.rest(), '');
  }
  await served.closedFor('client-closed');
  await served.empty();
});

test('a reset aborts the signal at once', async (t) => {
  const aborted = Promise.withResolvers<unknown>();
  const served = await Served.start(t, (request) => {
    request.signal.addEventListener('abort', () => aborted.resolve(request.signal.reason));
    return new Promise(() => undefined);
  });
  const wire = await served.send(`${GET}\r\n`);
  await served.doing('in-flight');
  wire.socket.resetAndDestroy();
  assert.match(String(await aborted.promise), /client closed/);
  await served.closedFor('client-reset');
  await served.empty();
});

test('a client that has closed both sides is found out by a probe, and the signal aborts', async (t) => {
  const aborted = Promise.withResolvers<void>();
  const served = await Served.start(t, (request) => {
    request.onAbort(() => aborted.resolve());
    return new Promise(() => undefined);
  });
  const wire = await served.send(`${GET}\r\n`);
  await served.doing('in-flight');
  wire.socket.destroy();
  await turns(20);
  await served.pass(500);
  await turns(20);
  assert.equal(served.server.status().requests.inFlight, 1);
  await served.pass(500);
  await turns(20);
  await served.pass(250);
  await aborted.promise;
  await served.empty();
});

test('a client that only waits survives the probe: a 100 before its answer means nothing (RFC 9110 §15.2)', async (t) => {
  const gate = Promise.withResolvers<void>();
  const served = await Served.start(t, () => gate.promise.then(() => ({ status: 200, body: 'late' })));
  const wire = await served.send(`${GET}\r\n`);
  wire.socket.end();
  await served.doing('in-flight');
  await turns(10);
  await served.pass(60_000);
  gate.resolve();
  for (let count = 0; count < 7; count += 1) assert.equal((await wire.response()).status, 100);
  assert.equal((await wire.response()).body, 'late');
  assert.equal(await wire.rest(), '');
});
