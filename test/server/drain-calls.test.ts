import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { onEvent } from '../../src/core/events.ts';
import type { Handler } from '../../src/core/handler.ts';
import { serve } from '../../src/server/serve.ts';
import { eventually, turns } from '../support/wire.ts';
import { get, opened, Waiting } from './opened.ts';

const hello: Handler = () => ({ status: 200, body: 'hello' });

test('a server that never had a connection drains without waiting for time, and leaves no timer', async (t) => {
  const { server, clock } = await opened(t, hello);
  const report = await server.drain({ quietMs: 60_000, graceMs: 60_000 });
  assert.deepEqual([report.outcome, report.durationMs, report.closed], ['clean', 0, {}]);
  assert.equal(clock.timerCount, 0);
  assert.deepEqual([server.status().phase, server.status().drain], ['closed', 'done']);
});

test('no timer is left after a drain that had work, nor after one that was forced', async (t) => {
  for (const graceMs of [30_000, 0]) {
    const waiting = new Waiting();
    const { server, clock, wire: open, reaches } = await opened(t, waiting.handler);
    const wire = await open();
    wire.write(get('/'));
    await waiting.has(1);
    const drained = server.drain({ graceMs });
    if (graceMs === 0) clock.advance(0);
    else {
      await reaches('finish');
      waiting.answer();
      await wire.closed();
      wire.socket.end();
    }
    assert.equal((await drained).outcome, graceMs === 0 ? 'forced' : 'clean');
    assert.equal(clock.timerCount, 0);
  }
});

test('the stages come in order, and the status tells each at any moment', async (t) => {
  const waiting = new Waiting();
  const { server, clock, wire: open, reaches } = await opened(t, waiting.handler);
  const seen: unknown[] = [];
  const told: string[] = [];
  t.after(
    onEvent('drain:stage', ({ server: name, stage, liveCount }) => {
      told.push(`${name} ${stage} ${liveCount}`);
      const { phase, noticed, connections } = server.status();
      seen.push([stage, phase, noticed, connections.total]);
    }),
  );
  const wire = await open();
  wire.write(get('/'));
  await waiting.has(1);
  assert.deepEqual([server.status().drain, server.status().noticed], [null, false]);
  const drained = server.drain({ noticeMs: 500, graceMs: 1000 });
  assert.deepEqual([server.status().drain, server.status().phase], ['notice', 'accepting']);
  assert.equal(server.info().name, 'sluice');
  clock.advance(500);
  await reaches('finish');
  assert.equal(server.status().requests.inFlight, 1);
  clock.advance(1000);
  await drained;
  assert.deepEqual(told, ['sluice notice 1', 'sluice refuse 1', 'sluice finish 1', 'sluice force 1', 'sluice done 0']);
  assert.deepEqual(seen, [
    ['notice', 'accepting', true, 1],
    ['refuse', 'accepting', true, 1],
    ['finish', 'accepting', true, 1],
    ['force', 'draining', true, 1],
    ['done', 'closed', true, 0],
  ]);
});

test('during the notice everything is admitted as before; the grace begins after it', async (t) => {
  const { server, clock, wire: open, reaches } = await opened(t, hello);
  const before = await open();
  const drained = server.drain({ noticeMs: 5000, graceMs: 1000, quietMs: 0 });
  assert.equal((await before.write(get('/')).response()).get('connection'), null);
  clock.advance(4999);
  const during = await open();
  assert.equal((await during.write(get('/')).response()).get('connection'), null);
  clock.advance(1);
  await reaches('finish');
  assert.deepEqual([await before.closed(), await during.closed()], ['fin', 'fin']);
  before.socket.end();
  during.socket.end();
  assert.deepEqual((await drained).closed, { 'drained-idle': 2 });
});

test('a draining listener refuses new connections, on the level of TCP', async (t) => {
  const waiting = new Waiting();
  const { server, port, wire: open, reaches } = await opened(t, waiting.handler);
  const wire = await open();
  wire.write(get('/'));
  await waiting.has(1);
  const drained = server.drain();
  await reaches('finish');
  const late = connect(port, '127.0.0.1');
  const [error] = await once(late, 'error');
  assert.equal(Reflect.get(Object(error), 'code'), 'ECONNREFUSED');
  waiting.answer();
  await wire.closed();
  wire.socket.end();
  await drained;
});

test('requests that begin while the accept queue is emptied wait until nobody can connect any more', async (t) => {
  const stages: (string | null)[] = [];
  const { server, wire: open } = await opened(t, () => {
    stages.push(server.status().drain);
    return { status: 200, body: 'hello' };
  });
  const wire = await open();
  await wire.write(get('/')).response();
  const stop = onEvent('drain:stage', ({ stage }) => {
    if (stage === 'refuse') wire.write(get('/'));
  });
  t.after(stop);
  const drained = server.drain();
  assert.equal((await wire.response()).get('connection'), 'close');
  assert.deepEqual(stages, [null, 'finish']);
  wire.socket.end();
  assert.equal((await drained).finishedCount, 1);
});

test('requests that wait in a drain are not too many requests; they begin as there is room', async (t) => {
  const waiting = new Waiting();
  const {
    server,
    wire: open,
    reaches,
  } = await opened(t, waiting.handler, { listener: { limits: { requestMaxCount: 2 } } });
  const wires = await Promise.all(Array.from({ length: 6 }, () => open()));
  await eventually(() => server.status().connections.total === 6);
  const drained = server.drain();
  for (const wire of wires) wire.write(get('/'));
  await eventually(() => server.status().requests.inFlight === 6);
  assert.equal(server.status().drain, 'refuse');
  await reaches('finish');
  for (let answered = 0; answered < 6; answered += 1) {
    await waiting.has(Math.min(answered + 2, 6));
    await turns(2);
    assert.equal(waiting.requests.length, Math.min(answered + 2, 6));
    waiting.answer();
    await turns(2);
  }
  for (const wire of wires) {
    const response = await wire.response();
    assert.deepEqual([response.status, response.get('connection')], [200, 'close']);
    wire.socket.end();
  }
  assert.equal((await drained).finishedCount, 6);
});

test('requests that wait in a drain are answered 503 when it is forced: no handler has seen them', async (t) => {
  const waiting = new Waiting();
  const { server, wire: open } = await opened(t, waiting.handler);
  const wire = await open();
  await eventually(() => server.status().connections.total === 1);
  server.beginDrain();
  wire.write(get('/'));
  await eventually(() => server.status().requests.inFlight === 1);
  assert.equal(server.status().drain, 'refuse');
  const report = server.close();
  const response = await wire.response();
  assert.deepEqual([response.status, response.get('retry-after'), response.get('connection')], [503, '1', 'close']);
  assert.equal((await report).outcome, 'forced');
  assert.equal(waiting.requests.length, 0);
});

test('a reload while requests wait in a drain: those that wait keep the handler they began with', async (t) => {
  const { server, wire: open } = await opened(t, () => ({ status: 200, body: 'old' }));
  const first = await open();
  await first.write(get('/')).response();
  const second = await open();
  await second.write(get('/')).response();
  const drained = server.drain();
  first.write(get('/'));
  await eventually(() => server.status().requests.inFlight === 1);
  assert.equal(server.status().drain, 'refuse');
  server.reload(() => ({ status: 200, body: 'new' }));
  second.write(get('/'));
  assert.equal((await first.response()).body, 'old');
  assert.equal((await second.response()).body, 'new');
  first.socket.end();
  second.socket.end();
  await drained;
});

test('reload: requests in flight keep their handler, the next ones get the new one; a listener may have its own', async (t) => {
  const waiting = new Waiting();
  const server = await serve({
    listeners: [
      { bind: '127.0.0.1:0', name: 'a' },
      { bind: '127.0.0.1:0', name: 'b' },
    ],
    handler: waiting.handler,
  });
  t.after(() => server.close());
  const texts = async (): Promise<string[]> =>
    Promise.all(server.listeners.map(async ({ address }) => (await fetch(`http://127.0.0.1:${address.port}/`)).text()));
  const first = texts();
  await waiting.has(2);
  let retired = false;
  server.reload(() => ({ status: 200, body: 'new' }), {
    listeners: { b: () => ({ status: 200, body: 'new b' }) },
    onRetired: () => {
      retired = true;
    },
  });
  assert.deepEqual(await texts(), ['new', 'new b']);
  waiting.answer({ status: 200, body: 'old' });
  await eventually(() => server.status().requests.inFlight === 1);
  assert.equal(retired, false, 'one request of the old handler is still in flight');
  waiting.answer({ status: 200, body: 'old' });
  assert.deepEqual(await first, ['old', 'old']);
  await eventually(() => retired);
});

test('a second drain joins the first, whatever its options; beginDrain returns at once', async (t) => {
  const waiting = new Waiting();
  const { server, clock, wire: open, reaches } = await opened(t, waiting.handler);
  const wire = await open();
  wire.write(get('/'));
  await waiting.has(1);
  assert.equal(server.beginDrain({ graceMs: 1000 }), undefined);
  server.beginDrain({ graceMs: 1 });
  const drained = server.drain({ graceMs: 1, noticeMs: 100_000 });
  await reaches('finish');
  const again = server.drain();
  clock.advance(999);
  await turns(2);
  assert.equal(server.status().drain, 'finish');
  waiting.answer();
  await wire.closed();
  wire.socket.end();
  assert.equal(await again, await drained);
  assert.equal(await server.drain(), await drained);
  assert.equal(await server.close(), await drained);
});

test('an option that is not given stays as the server was told', async (t) => {
  const waiting = new Waiting();
  const { server, clock, wire: open, reaches } = await opened(t, waiting.handler, { drain: { graceMs: 700 } });
  const wire = await open();
  wire.write(get('/'));
  await waiting.has(1);
  const given: object = { graceMs: undefined };
  const drained = server.drain(given);
  await reaches('finish');
  clock.advance(700);
  assert.equal((await drained).durationMs, 700);
});

test('wrong drain options throw, name the field, and start nothing', async (t) => {
  const { server } = await opened(t, hello);
  const wrong: object = { graceMS: 5, quietMs: -1 };
  assert.throws(() => server.beginDrain(wrong), /graceMS: no such option, did you mean graceMs\?; quietMs: -1/);
  assert.equal(server.status().drain, null);
});

test('shutdown() closes what is idle at once, and lets what is in flight finish', async (t) => {
  const waiting = new Waiting();
  const { server, wire: open } = await opened(t, (request) =>
    request.path === '/' ? { status: 200 } : waiting.handler(request),
  );
  const idle = await open();
  await idle.write(get('/')).response();
  const busy = await open();
  busy.write(get('/wait'));
  await waiting.has(1);
  const report = server.shutdown();
  assert.equal(await idle.closed(), 'fin');
  idle.socket.end();
  waiting.answer();
  assert.equal((await busy.response()).get('connection'), 'close');
  busy.socket.end();
  assert.deepEqual((await report).closed, { 'drained-idle': 1, 'drained-answered': 1 });
});

test('shutdown() ends the notice, the quiet window and the longer grace of a drain that runs already', async (t) => {
  const waiting = new Waiting();
  const {
    server,
    clock,
    wire: open,
    reaches,
  } = await opened(t, (request) => (request.path === '/' ? { status: 200 } : waiting.handler(request)));
  const idle = await open();
  await idle.write(get('/')).response();
  const busy = await open();
  busy.write(get('/wait'));
  await waiting.has(1);
  const drained = server.drain({ noticeMs: 60_000, quietMs: 60_000, graceMs: 60_000 });
  const report = server.shutdown({ graceMs: 500 });
  await reaches('finish');
  assert.equal(await idle.closed(), 'fin');
  idle.socket.end();
  clock.advance(500);
  assert.equal(await report, await drained);
  assert.deepEqual((await report).closed, { 'drained-idle': 1, 'drain-forced': 1 });
  assert.equal(clock.timerCount, 0);
});

test('shutdown() within the quiet window ends it', async (t) => {
  const { server, clock, wire: open, reaches } = await opened(t, hello);
  const idle = await open();
  await idle.write(get('/')).response();
  const drained = server.drain({ quietMs: 60_000 });
  await reaches('finish');
  const report = server.shutdown();
  clock.advance(250);
  assert.equal(await idle.closed(), 'fin');
  idle.socket.end();
  assert.equal(await report, await drained);
});

test('close() cuts everything off now, in any stage; what was in the middle of something has its own reason', async (t) => {
  for (const stage of ['before', 'notice', 'refuse', 'finish'] as const) {
    const waiting = new Waiting();
    const { server, clock, wire: open, reaches } = await opened(t, waiting.handler);
    const wire = await open();
    wire.write(get('/'));
    const silent = await open();
    await waiting.has(1);
    await eventually(() => server.status().connections.total === 2);
    if (stage !== 'before') server.beginDrain({ noticeMs: stage === 'notice' ? 1000 : 0 });
    if (stage === 'finish') await reaches('finish');
    else if (stage !== 'before') assert.equal(server.status().drain, stage);
    const [report, again] = await Promise.all([server.close(), server.close()]);
    assert.equal(report, again);
    assert.deepEqual([report.outcome, report.finishedCount], ['forced', 0], stage);
    assert.deepEqual(report.closed, { 'server-closed': 1, 'drained-idle': 1 }, stage);
    assert.equal(report.forced.length, 1);
    assert.equal(waiting.requests[0]?.signal.aborted, true);
    assert.equal(clock.timerCount, 0);
    await Promise.all([wire.closed(), silent.closed()]);
  }
});

test('a drain without grace cuts off what is in flight, and closes what is idle', async (t) => {
  const { server, wire: open } = await opened(t, hello);
  const wire = await open();
  await wire.write(get('/')).response();
  const drained = server.drain({ graceMs: 0, quietMs: 0 });
  assert.equal(await wire.closed(), 'fin');
  wire.socket.end();
  assert.deepEqual([(await drained).outcome, (await drained).closed], ['clean', { 'drained-idle': 1 }]);
});

test('a forced drain ends even when a runner has taken the events of its socket away', async (t) => {
  const runner = {
    name: 'deaf',
    run: ({ socket }: { socket: Socket }) => void socket.removeAllListeners(),
    refuse: () => undefined,
  };
  const { server, wire: open } = await opened(t, hello, { listener: { runner } });
  const wire = await open();
  await eventually(() => server.status().connections.total === 1);
  const report = await server.close();
  assert.deepEqual(report.closed, { 'drained-idle': 1 });
  assert.equal(server.status().connections.total, 0);
  await wire.closed();
});

test('a server on a unix socket drains like any other; its file goes with the listening socket', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-drain-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'a.sock');
  const waiting = new Waiting();
  const server = await serve({ listeners: [{ bind: `unix:${path}` }], handler: waiting.handler });
  t.after(() => server.close());
  const socket = connect(path);
  socket.setEncoding('latin1').write(get('/'));
  await waiting.has(1);
  assert.equal(waiting.requests[0]?.peer.address, 'unix:');
  const drained = server.drain();
  await eventually(() => server.status().drain === 'finish');
  assert.equal(existsSync(path), false);
  const answer = once(socket, 'data');
  waiting.answer();
  assert.match(String(await answer), /^HTTP\/1\.1 200 OK\r\n.*connection: close\r\n/s);
  assert.deepEqual((await drained).closed, { 'drained-answered': 1 });
});
