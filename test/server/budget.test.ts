import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import { connectionCeiling, PeerBudget, refusedCeiling } from '../../src/server/budget.ts';
import { eventually, turns } from '../support/wire.ts';
import { get, opened, Waiting } from './opened.ts';
import { ServerProcess } from './process.ts';

const hello: Handler = () => ({ status: 200, body: 'hello' });

// ── connections ───────────────────────────────────────────────────────────────────────────────────────────────────

test('one connection too many is answered 503, which its client sees although it has sent bytes', async (t) => {
  const { server, clock, wire: open } = await opened(t, hello, { listener: { limits: { connectionMaxCount: 2 } } });
  const first = await open();
  const second = await open();
  await second.write(get('/')).response();
  await eventually(() => server.status().connections.total === 2);
  const third = await open();
  const response = await third.write(get('/') + 'x'.repeat(50_000)).response();
  assert.deepEqual([response.status, response.get('retry-after'), response.get('connection')], [503, '1', 'close']);
  assert.equal(response.get('content-type'), 'application/json');
  assert.deepEqual(JSON.parse(response.body), {
    error: 'connection-budget-exceeded',
    message: 'Too many connections.',
  });
  assert.equal(await third.closed(), 'fin');
  const { refused, connections, listeners } = server.status();
  assert.deepEqual([refused, connections.total], [{ 'connection-budget-exceeded': 1 }, 2]);
  assert.equal(listeners[0]?.connectionMaxCount, 2);
  // It may take its time to read that, but not longer than a second.
  third.write('more');
  await turns(3);
  assert.equal(third.socket.destroyed, false);
  clock.advance(1000);
  await eventually(() => third.write('more').socket.destroyed);
  // A place that is free again is given to the next one.
  first.socket.end();
  await eventually(() => server.status().connections.total === 1);
  assert.equal((await (await open()).write(get('/')).response()).status, 200);
});

test('refused connections take no place, and a drain does not wait for them', async (t) => {
  const { server, wire: open } = await opened(t, hello, { listener: { limits: { connectionMaxCount: 1 } } });
  const kept = await open();
  await kept.write(get('/')).response();
  for (let count = 1; count <= 5; count += 1) {
    await (await open()).closed();
    assert.deepEqual(server.status().refused, { 'connection-budget-exceeded': count });
  }
  const drained = server.drain({ quietMs: 0 });
  await kept.closed();
  kept.socket.end();
  assert.deepEqual((await drained).closed, { 'drained-idle': 1 });
});

test('one address may be kept to its share; without the option it is not', async (t) => {
  const limits = { connectionPerPeerMaxCount: 2 };
  const { server, wire: open } = await opened(t, hello, { listener: { limits } });
  const kept = [await open(), await open()];
  await eventually(() => server.status().connections.total === 2);
  assert.equal((await (await open()).response()).status, 503);
  assert.deepEqual(server.status().refused, { 'peer-budget-exceeded': 1 });
  kept[0]?.socket.end();
  await eventually(() => server.status().connections.total === 1);
  assert.equal((await (await open()).write(get('/')).response()).status, 200);

  const free = await opened(t, hello);
  for (let count = 0; count < 20; count += 1) await free.wire();
  await eventually(() => free.server.status().connections.total === 20);
  assert.deepEqual(free.server.status().refused, {});
});

test('the peers that are counted are the ones that are connected', () => {
  const budget = new PeerBudget(2);
  for (let round = 0; round < 3; round += 1) {
    assert.deepEqual([budget.acquire('a'), budget.acquire('a'), budget.acquire('a')], [true, true, false]);
    assert.equal(budget.acquire('b'), true);
    assert.equal(budget.size, 2);
    for (const address of ['a', 'b', 'a']) budget.release(address);
    assert.equal(budget.size, 0);
  }
  budget.release('never seen');
  assert.equal(budget.size, 0);
  assert.equal(new PeerBudget(1).acquire('a'), true);
});

// ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────────

test('one request too many in flight is answered 503 and its connection kept', async (t) => {
  const waiting = new Waiting();
  const limits = { requestMaxCount: 1 };
  const { server, wire: open } = await opened(t, waiting.handler, { listener: { limits } });
  const first = await open();
  first.write(get('/1'));
  await waiting.has(1);
  const second = await open();
  const refused = await second.write(get('/2')).response();
  assert.deepEqual([refused.status, refused.get('retry-after'), refused.get('connection')], [503, '1', null]);
  assert.deepEqual(server.status().requests, { served: 1, inFlight: 1 });
  waiting.answer();
  await first.response();
  second.write(get('/3'));
  await waiting.has(2);
  waiting.answer();
  assert.equal((await second.response()).status, 200);
  assert.deepEqual(server.status().requests, { served: 2, inFlight: 0 });
});

test('a request whose handler throws, and one whose client leaves, give their place back', async (t) => {
  const waiting = new Waiting();
  const limits = { requestMaxCount: 1 };
  const throwing: Handler = (request) => {
    if (request.path === '/throw') throw new Error('on purpose');
    if (request.path === '/reject') return Promise.reject(new Error('on purpose'));
    return waiting.handler(request);
  };
  const { server, wire: open } = await opened(t, throwing, { listener: { limits } });
  const wire = await open();
  for (const path of ['/throw', '/reject']) assert.equal((await wire.write(get(path)).response()).status, 500);
  const leaving = await open();
  leaving.write(get('/'));
  await waiting.has(1);
  leaving.socket.resetAndDestroy();
  await eventually(() => server.status().requests.inFlight === 0);
  assert.equal(waiting.requests[0]?.signal.aborted, true);
  wire.write(get('/'));
  await waiting.has(2);
});

// ── file descriptors ──────────────────────────────────────────────────────────────────────────────────────────────

test('the file limit leaves a reserve, and what is refused stays within it', () => {
  assert.deepEqual(
    [16, 100, 1024, 1_000_000, Number.POSITIVE_INFINITY].map((limit) => connectionCeiling(limit)),
    [12, 75, 896, 999_872, Number.POSITIVE_INFINITY],
  );
  assert.equal(connectionCeiling(0), 1);
  assert.equal(refusedCeiling(75, 100), 12);
  assert.equal(refusedCeiling(896, 1024), 64);
  assert.equal(refusedCeiling(500, 1024), 396);
  assert.equal(refusedCeiling(10_000, 1_000_000), 1024);
  assert.equal(refusedCeiling(10_000, Number.POSITIVE_INFINITY), 1024);
});

/** Connects and sends a request; resolves with the first bytes of the answer, or empty when there is none. */
function ask(port: number, keep: Socket[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  keep.push(socket);
  return new Promise((resolve) => {
    socket.on('error', () => undefined).on('close', () => resolve(''));
    socket.setEncoding('latin1').on('data', (text: string) => resolve(text.slice(0, 12)));
    socket.write(get('/'));
  });
}

test('out of file descriptors the server rests, does not spin, and serves again by itself', async (t) => {
  const child = new ServerProcess(t, { listeners: [{ bind: '127.0.0.1:0' }] }, { shell: 'ulimit -n 100' });
  const [port = 0] = await child.ports();
  assert.equal((await child.status()).listeners[0]?.connectionMaxCount, 75);
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  assert.equal(await ask(port, sockets), 'HTTP/1.1 200');
  await child.ask({ do: 'hold-files' });
  const answers = await Promise.all(Array.from({ length: 150 }, () => ask(port, sockets)));
  assert.deepEqual(new Set(answers), new Set(['']), 'nobody gets in, and nobody is left waiting');
  const beforeMs = await child.cpuMs();
  const startMs = performance.now();
  await eventually(() => performance.now() - startMs > 200);
  const usedMs = (await child.cpuMs()) - beforeMs;
  assert.ok(usedMs < 100, `${usedMs} ms of CPU time in 200 ms`);
  await child.ask({ do: 'release-files' });
  assert.equal(await ask(port, sockets), 'HTTP/1.1 200');
});

test('more clients than file descriptors: those within the budget are served, the others refused, and then served', async (t) => {
  const child = new ServerProcess(t, { listeners: [{ bind: '127.0.0.1:0' }] }, { shell: 'ulimit -n 100' });
  const [port = 0] = await child.ports();
  const sockets: Socket[] = [];
  const answers = await Promise.all(Array.from({ length: 150 }, () => ask(port, sockets)));
  const served = answers.filter((answer) => answer === 'HTTP/1.1 200').length;
  const refused = answers.filter((answer) => answer === 'HTTP/1.1 503').length;
  assert.ok(served >= 60 && served <= 75, `${served} served`);
  assert.ok(refused > 0, `${refused} refused`);
  for (const socket of sockets) socket.destroy();
  let total = 1;
  while (total > 0) ({ total } = (await child.status()).connections);
  await turns(1);
  assert.equal(await ask(port, sockets), 'HTTP/1.1 200');
  for (const socket of sockets) socket.destroy();
});
