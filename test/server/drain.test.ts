import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handler } from '../../src/core/handler.ts';
import { eventually, turns } from '../support/wire.ts';
import { get, opened, Waiting } from './opened.ts';

const hello: Handler = () => ({ status: 200, body: 'hello' });
const echo: Handler = async (request) => ({ status: 200, body: await request.text() });

test('a request of which half has come when the drain begins is answered, with close', async (t) => {
  const { server, wire: open, reaches } = await opened(t, hello);
  const wire = await open();
  await wire.segment('GET /half HTTP/1.1\r\nho');
  await eventually(() => server.status().connections.reading === 1);
  const drained = server.drain({ quietMs: 0 });
  await reaches('finish');
  wire.write('st: test\r\n\r\n');
  const response = await wire.response();
  assert.equal(response.status, 200);
  assert.equal(response.get('connection'), 'close');
  assert.equal(await wire.closed(), 'fin');
  wire.socket.end();
  const report = await drained;
  assert.deepEqual(
    { ...report, durationMs: 0 },
    {
      outcome: 'clean',
      durationMs: 0,
      finishedCount: 1,
      closed: { 'drained-answered': 1 },
      mayHaveLostCount: 0,
      forced: [],
    },
  );
});

test('a request of which half the body has come when the drain begins is answered, with close', async (t) => {
  const { server, wire: open, reaches } = await opened(t, echo);
  const wire = await open();
  await wire.segment('POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\n01234');
  await eventually(() => server.status().requests.inFlight === 1);
  const drained = server.drain({ quietMs: 0 });
  await reaches('finish');
  wire.write('56789');
  const response = await wire.response();
  assert.equal(response.body, '0123456789');
  assert.equal(response.get('connection'), 'close');
  wire.socket.end();
  assert.equal((await drained).outcome, 'clean');
});

test('an idle connection is answered within the quiet window, with close', async (t) => {
  const { server, clock, wire: open, reaches } = await opened(t, hello);
  const wire = await open();
  assert.equal((await wire.write(get('/1')).response()).get('connection'), null);
  const drained = server.drain({ quietMs: 1000 });
  await reaches('finish');
  clock.advance(999);
  const response = await wire.write(get('/2')).response();
  assert.equal(response.get('connection'), 'close');
  assert.equal(await wire.closed(), 'fin');
  wire.socket.end();
  assert.deepEqual((await drained).closed, { 'drained-answered': 1 });
});

test('idle and silent connections are closed after the quiet window, not before', async (t) => {
  const { server, clock, wire: open, reaches } = await opened(t, hello);
  const idle = await open();
  await idle.write(get('/')).response();
  const silent = await open();
  await eventually(() => server.status().connections.total === 2);
  const drained = server.drain({ quietMs: 1000 });
  await reaches('finish');
  clock.advance(750);
  await turns(5);
  assert.deepEqual([idle.ended, silent.ended], [null, null]);
  clock.advance(250);
  assert.deepEqual([await idle.closed(), await silent.closed()], ['fin', 'fin']);
  idle.socket.end();
  silent.socket.end();
  const report = await drained;
  assert.deepEqual(report.closed, { 'drained-idle': 2 });
  assert.equal(report.durationMs, 1000);
  assert.equal(report.mayHaveLostCount, 0);
});

test('a request that arrived within the quiet window is answered, even when the window ends before it is read', async (t) => {
  const { server, clock, wire: open, reaches } = await opened(t, hello);
  const wire = await open();
  await wire.write(get('/1')).response();
  const drained = server.drain({ quietMs: 1000 });
  await reaches('finish');
  await turns(1);
  wire.write(get('/2')); // in the kernel's hands when this returns
  clock.advance(1000);
  assert.equal((await wire.response()).get('connection'), 'close');
  wire.socket.end();
  assert.deepEqual((await drained).closed, { 'drained-answered': 1 });
});

test('bytes that come after an idle connection was closed are counted as a possible loss', async (t) => {
  const { server, clock, wire: open, reaches } = await opened(t, hello);
  const wire = await open();
  await wire.write(get('/')).response();
  const drained = server.drain({ quietMs: 1000 });
  await reaches('finish');
  clock.advance(1000);
  assert.equal(await wire.closed(), 'fin');
  wire.write(get('/late'));
  wire.socket.end();
  const report = await drained;
  assert.deepEqual(report.closed, { 'drained-raced': 1 });
  assert.equal(report.mayHaveLostCount, 1);
  assert.equal(report.outcome, 'clean');
});

test('pipelined requests are all answered; only the last answer says close', async (t) => {
  const waiting = new Waiting();
  const { server, wire: open, reaches } = await opened(t, waiting.handler);
  const wire = await open();
  wire.write(get('/1') + get('/2') + get('/3'));
  await waiting.has(1);
  const drained = server.drain({ quietMs: 0 });
  await reaches('finish');
  const said: (string | null)[] = [];
  for (let count = 1; count <= 3; count += 1) {
    await waiting.has(count);
    waiting.answer();
    said.push((await wire.response()).get('connection'));
  }
  assert.deepEqual(said, [null, null, 'close']);
  wire.socket.end();
  assert.equal((await drained).finishedCount, 3);
});

test('an answer that began before the drain said keep-alive: the quiet window begins when it ends', async (t) => {
  const more = Promise.withResolvers<void>();
  const stream: Handler = (request) => ({
    status: 200,
    body: request.path === '/stream' ? pieces(more.promise) : 'next',
  });
  const { server, clock, wire: open, reaches } = await opened(t, stream, { drain: { quietMs: 1000 } });
  const wire = await open();
  await wire.write(get('/stream')).until('first');
  const drained = server.drain();
  await reaches('finish');
  clock.advance(5000);
  await turns(3);
  more.resolve();
  await wire.until('0\r\n\r\n');
  clock.advance(750);
  await turns(3);
  const response = await wire.write(get('/next')).response();
  assert.equal(response.body, 'next');
  assert.equal(response.get('connection'), 'close');
  wire.socket.end();
  assert.deepEqual((await drained).closed, { 'drained-answered': 1 });
});

async function* pieces(more: Promise<void>): AsyncGenerator<string> {
  yield 'first';
  await more;
  yield 'second';
}

test('a handler that runs past the grace sees its signal abort and is cut off; the report names it', async (t) => {
  const waiting = new Waiting();
  const { server, clock, wire: open, reaches } = await opened(t, waiting.handler);
  const wire = await open();
  wire.write(get('/slow?x=1'));
  await waiting.has(1);
  clock.advance(100);
  const drained = server.drain({ graceMs: 2000 });
  await reaches('finish');
  const signal = waiting.requests[0]?.signal;
  clock.advance(1999);
  assert.equal(signal?.aborted, false);
  clock.advance(1);
  assert.equal(signal?.aborted, true);
  assert.match(String(signal?.reason), /shutting down/);
  assert.equal(await wire.rest(), '');
  const report = await drained;
  const [forced] = report.forced;
  assert.deepEqual(report.forced, [
    {
      listener: '127.0.0.1:0',
      connectionId: forced?.connectionId,
      peer: '127.0.0.1',
      activity: 'in-flight',
      method: 'GET',
      target: '/slow?x=1',
      ageMs: 2100,
    },
  ]);
  assert.equal(report.outcome, 'forced');
  assert.equal(report.durationMs, 2000);
  assert.deepEqual(report.closed, { 'drain-forced': 1 });
  assert.deepEqual([report.finishedCount, report.mayHaveLostCount], [0, 1]);
});

test('a handler that heeds its signal can still answer at the end of the grace; it counts as forced', async (t) => {
  const heeding: Handler = (request) =>
    new Promise((resolve) => request.onAbort(() => resolve({ status: 503, body: 'stopped' })));
  const { server, clock, wire: open, reaches } = await opened(t, heeding);
  const wire = await open();
  wire.write(get('/'));
  await eventually(() => server.status().requests.inFlight === 1);
  const drained = server.drain({ graceMs: 2000 });
  await reaches('finish');
  clock.advance(2000);
  const response = await wire.response();
  assert.deepEqual([response.status, response.get('connection')], [503, 'close']);
  const report = await drained;
  assert.deepEqual([report.outcome, report.finishedCount, report.mayHaveLostCount], ['forced', 1, 0]);
  assert.deepEqual(report.closed, { 'drained-answered': 1 });
});

test('at the end of the grace, idle and silent connections are closed and nobody counts as forced', async (t) => {
  const { server, clock, wire: open, reaches } = await opened(t, hello);
  const idle = await open();
  await idle.write(get('/')).response();
  await open();
  await eventually(() => server.status().connections.total === 2);
  const drained = server.drain({ quietMs: 60_000, graceMs: 100 });
  await reaches('finish');
  clock.advance(100);
  const report = await drained;
  assert.deepEqual([report.outcome, report.mayHaveLostCount, report.closed], ['clean', 0, { 'drained-idle': 2 }]);
});

test('half a head, and a connection that was taken over, are forced at the end of the grace', async (t) => {
  const upgrade: Handler = () => ({
    status: 101,
    headers: { upgrade: 'test' },
    takeover: (socket) => {
      socket.on('error', () => undefined);
      socket.resume();
    },
  });
  const { server, clock, wire: open, reaches } = await opened(t, upgrade, { drain: { graceMs: 100 } });
  const half = await open();
  await half.segment('GET / HT');
  const taken = await open();
  taken.write(get('/', 'connection: upgrade\r\nupgrade: test\r\n'));
  await taken.until('101 Switching Protocols');
  await eventually(() => server.status().connections.reading === 1);
  assert.equal(server.status().connections.stream, 1);
  const drained = server.drain();
  await reaches('finish');
  clock.advance(100);
  const report = await drained;
  const cutOff = new Map(report.forced.map(({ activity, method }) => [activity, method]));
  assert.deepEqual([cutOff.get('reading'), cutOff.get('stream')], [null, null]);
  assert.deepEqual([report.closed, report.mayHaveLostCount], [{ 'drain-forced': 2 }, 2]);
});

test('a connection that was taken over may end by itself during the drain', async (t) => {
  const upgrade: Handler = () => ({
    status: 101,
    headers: { upgrade: 'test' },
    takeover: (socket) => socket.on('data', () => socket.end('bye')).resume(),
  });
  const { server, wire: open, reaches } = await opened(t, upgrade);
  const wire = await open();
  wire.write(get('/', 'connection: upgrade\r\nupgrade: test\r\n'));
  await wire.until('101 Switching Protocols');
  const drained = server.drain();
  await reaches('finish');
  wire.write('stop');
  await wire.until('bye');
  wire.socket.end();
  const report = await drained;
  assert.deepEqual([report.outcome, report.closed], ['clean', { 'taken-over': 1 }]);
});

const BIG = Buffer.alloc(16 * 1024 * 1024, 'x');

test('the last answer reaches a slow reader whole: the linger begins when it has been taken', async (t) => {
  const { server, clock, wire: open, reaches } = await opened(t, () => ({ status: 200, body: BIG }));
  const wire = await open();
  wire.socket.pause();
  const drained = server.drain();
  wire.write(get('/'));
  await eventually(() => server.status().requests.served === 1);
  await reaches('finish');
  clock.advance(10_000);
  await turns(3);
  wire.socket.resume();
  await wire.until((unread) => unread.length > BIG.length);
  assert.equal(await wire.closed(), 'fin');
  wire.socket.end();
  assert.deepEqual((await drained).closed, { 'drained-answered': 1 });
});

test('an answer that is cut off at the end of the grace before the client took it counts as forced', async (t) => {
  const { server, clock, wire: open, reaches } = await opened(t, () => ({ status: 200, body: BIG }));
  const wire = await open();
  wire.socket.pause();
  const drained = server.drain({ graceMs: 5000 });
  wire.write(get('/'));
  await eventually(() => server.status().requests.served === 1);
  await reaches('finish');
  clock.advance(5000);
  const report = await drained;
  assert.deepEqual([report.outcome, report.closed, report.mayHaveLostCount], ['forced', { 'drain-forced': 1 }, 1]);
});
