import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { onEvent } from '../../src/core/events.ts';
import type { Handler } from '../../src/core/handler.ts';
import type { Connection, ConnectionRunner } from '../../src/core/runner.ts';
import { nodeRunner } from '../../src/protocol/node/server.ts';
import { eventually, turns } from '../support/wire.ts';
import { get, opened, Waiting } from './opened.ts';

const hello: Handler = () => ({ status: 200, body: 'hello' });
const PERIOD_MS = 1000;

/** A runner that does nothing but keep what it is given. */
function keeping(): ConnectionRunner & { readonly connections: Connection[] } {
  const connections: Connection[] = [];
  return {
    name: 'keeping',
    connections,
    run: (connection) => void connections.push(connection),
    refuse: () => undefined,
  };
}

test('a connection whose end nobody was told is released at the second check, with an event', async (t) => {
  const runner = keeping();
  const limits = { connectionPerPeerMaxCount: 1 };
  const listener = { runner, limits, reconcileMs: PERIOD_MS, name: 'leaky' };
  const { server, clock, wire: open } = await opened(t, hello, { listener });
  const released: unknown[] = [];
  t.after(onEvent('slots:reconcile', (event) => released.push(event)));
  const closed: string[] = [];
  t.after(onEvent('connection:close', ({ reason }) => closed.push(reason)));
  const wire = await open();
  await eventually(() => runner.connections.length === 1);
  const socket = runner.connections[0]?.socket;
  socket?.removeAllListeners('close');
  socket?.destroy();
  await wire.closed();
  clock.advance(PERIOD_MS);
  assert.deepEqual([server.status().connections.total, released], [1, []]);
  clock.advance(PERIOD_MS);
  assert.equal(server.status().connections.total, 0);
  assert.deepEqual(released, [{ listener: 'leaky', releasedConnectionCount: 1, releasedRequestCount: 0 }]);
  assert.deepEqual([closed, server.status().listeners[0]?.closed], [['reconciled'], { reconciled: 1 }]);
  // Its place among the peers is free too.
  await open();
  await eventually(() => runner.connections.length === 2);
});

test('a request that no connection knows is released at the second check; its late end is not counted twice', async (t) => {
  const runner = keeping();
  const listener = { runner, reconcileMs: PERIOD_MS };
  const { server, clock, wire: open } = await opened(t, hello, { listener });
  const released: unknown[] = [];
  t.after(onEvent('slots:reconcile', (event) => released.push(event)));
  await open();
  await eventually(() => runner.connections.length === 1);
  const service = runner.connections[0]?.service;
  const [late, lost] = [service?.admit(), service?.admit()];
  assert.ok(late && lost);
  clock.advance(PERIOD_MS);
  assert.equal(server.status().requests.inFlight, 2);
  late.end(); // one of the two was only late
  clock.advance(PERIOD_MS);
  assert.equal(server.status().requests.inFlight, 0);
  assert.deepEqual(released, [{ listener: '127.0.0.1:0', releasedConnectionCount: 0, releasedRequestCount: 1 }]);
  lost.end();
  assert.equal(server.status().requests.inFlight, 0);
});

test('what lives is never released: idle, in flight, and closing between two checks', async (t) => {
  const waiting = new Waiting();
  const { server, clock, wire: open } = await opened(t, waiting.handler, { listener: { reconcileMs: PERIOD_MS } });
  const released: unknown[] = [];
  t.after(onEvent('slots:reconcile', (event) => released.push(event)));
  await open();
  const busy = await open();
  busy.write(get('/') + get('/'));
  await waiting.has(1);
  for (let check = 0; check < 5; check += 1) {
    clock.advance(PERIOD_MS);
    const leaving = await open();
    await eventually(() => server.status().connections.total === 3);
    leaving.socket.resetAndDestroy();
    await eventually(() => server.status().connections.total === 2);
  }
  assert.deepEqual([released, server.status().requests.inFlight], [[], 1]);
});

test('several requests in flight on one connection are all known', async (t) => {
  const http = createServer();
  const answers: (() => void)[] = [];
  http.on('request', (_request, response) => answers.push(() => void response.end('late')));
  const listener = { runner: nodeRunner(http), reconcileMs: PERIOD_MS };
  const { server, clock, wire: open } = await opened(t, hello, { listener });
  const wire = await open();
  wire.write(get('/1') + get('/2') + get('/3'));
  await eventually(() => answers.length === 3);
  assert.equal(server.status().requests.inFlight, 3);
  clock.advance(3 * PERIOD_MS);
  assert.equal(server.status().requests.inFlight, 3);
  for (const answer of answers) answer();
  for (let count = 0; count < 3; count += 1) await wire.response();
  await turns(2);
  assert.equal(server.status().requests.inFlight, 0);
});
