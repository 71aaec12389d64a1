import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Server as NetServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type EventName, type Events, onEvent } from '../../src/core/events.ts';
import type { Handler } from '../../src/core/handler.ts';
import { serve } from '../../src/server/serve.ts';
import { eventually } from '../support/wire.ts';
import { get, opened } from './opened.ts';

const hello: Handler = () => ({ status: 200, body: 'hello' });

/** Keeps every message of an event until the test ends. */
function heard<Name extends EventName>(context: TestContext, name: Name): Events[Name][] {
  const messages: Events[Name][] = [];
  context.after(onEvent(name, (message) => messages.push(message)));
  return messages;
}

test('a listener tells when it opens and when it is closed, with an address that can be read', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-events-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const open = heard(t, 'listener:open');
  const closed = heard(t, 'listener:close');
  const server = await serve({
    listeners: [
      { name: 'four', bind: '127.0.0.1:0' },
      { name: 'file', bind: `unix:${folder}/a.sock` },
    ],
    handler: hello,
  });
  t.after(() => server.close());
  assert.deepEqual(open, [
    { listener: 'four', address: `127.0.0.1:${server.listeners[0]?.address.port}` },
    { listener: 'file', address: `unix:${folder}/a.sock` },
  ]);
  await server.drain();
  assert.deepEqual(closed, [
    { listener: 'four', reason: 'drain' },
    { listener: 'file', reason: 'drain' },
  ]);
});

test('an error of a listening socket is told, and the listener goes on', async (t) => {
  const errors = heard(t, 'listener:error');
  const servers: NetServer[] = [];
  t.mock.method(NetServer.prototype, 'once', function once(this: NetServer, ...args: [string, () => void]) {
    servers.push(this);
    return EventEmitter.prototype.once.apply(this, args);
  });
  const { wire: open } = await opened(t, hello, { listener: { name: 'web' } });
  const error = new Error('accept EMFILE');
  servers[0]?.emit('error', error);
  assert.deepEqual(errors, [{ listener: 'web', error }]);
  assert.equal((await (await open()).write(get('/')).response()).status, 200);
});

test('a connection tells its beginning and its end, with its peer and the reason', async (t) => {
  const accepted = heard(t, 'connection:accept');
  const closed = heard(t, 'connection:close');
  const { server, wire: open } = await opened(t, hello, { listener: { name: 'web' } });
  const wire = await open();
  await wire.write(get('/', 'connection: close\r\n')).response();
  wire.socket.end();
  await eventually(() => closed.length === 1);
  const connectionId = accepted[0]?.connectionId;
  assert.deepEqual(accepted, [{ listener: 'web', connectionId, peer: '127.0.0.1' }]);
  assert.deepEqual(closed, [{ listener: 'web', connectionId, peer: '127.0.0.1', reason: 'keep-alive-off' }]);
  assert.deepEqual(server.status().listeners[0]?.closed, { 'keep-alive-off': 1 });
});

test('the end of a connection names its peer although its socket is gone by then', async (t) => {
  const closed = heard(t, 'connection:close');
  const { server, wire: open } = await opened(t, hello);
  const wire = await open();
  await eventually(() => server.status().connections.total === 1);
  wire.socket.resetAndDestroy();
  await eventually(() => closed.length === 1);
  assert.deepEqual([closed[0]?.peer, closed[0]?.reason], ['127.0.0.1', 'client-reset']);
});

test('a refused connection is told with the budget it was over', async (t) => {
  const refused = heard(t, 'connection:refuse');
  const limits = { connectionMaxCount: 2, connectionPerPeerMaxCount: 1 };
  const { server, wire: open } = await opened(t, hello, { listener: { name: 'web', limits } });
  await open();
  await eventually(() => server.status().connections.total === 1);
  await (await open()).closed();
  assert.deepEqual(refused, [{ listener: 'web', peer: '127.0.0.1', reason: 'peer-budget-exceeded' }]);
  const full = await opened(t, hello, { listener: { name: 'full', limits: { connectionMaxCount: 1 } } });
  await full.wire();
  await eventually(() => full.server.status().connections.total === 1);
  await (await full.wire()).closed();
  assert.deepEqual(refused[1], { listener: 'full', peer: '127.0.0.1', reason: 'connection-budget-exceeded' });
});

test('a request tells its beginning, its end and its error', async (t) => {
  const started = heard(t, 'request:start');
  const ended = heard(t, 'request:end');
  const failed = heard(t, 'request:error');
  const error = new Error('on purpose');
  const throwing: Handler = (request) => {
    if (request.path === '/throw') throw error;
    return { status: 204 };
  };
  const { clock, wire: open } = await opened(t, (request) => {
    clock.advance(7);
    return throwing(request);
  });
  const wire = await open();
  await wire.write(get('/fine?x')).response();
  await wire.write(get('/throw')).response();
  const connectionId = started[0]?.connectionId ?? 0;
  assert.deepEqual(started, [
    { connectionId, method: 'GET', target: '/fine?x' },
    { connectionId, method: 'GET', target: '/throw' },
  ]);
  assert.deepEqual(ended, [
    { connectionId, method: 'GET', target: '/fine?x', status: 204, durationMs: 7 },
    { connectionId, method: 'GET', target: '/throw', status: 500, durationMs: 7 },
  ]);
  assert.deepEqual(failed, [{ requestId: failed[0]?.requestId, method: 'GET', target: '/throw', error }]);
});

test('while nobody listens, the kernel is not asked for the address of a peer', async (t) => {
  let asked = 0;
  // Node asks the kernel in one (private) place.
  const ask: unknown = Reflect.get(Socket.prototype, '_getpeername');
  assert.ok(typeof ask === 'function');
  t.after(() => Reflect.set(Socket.prototype, '_getpeername', ask));
  Reflect.set(Socket.prototype, '_getpeername', function count(this: Socket) {
    asked += 1;
    return Reflect.apply(ask, this, []);
  });
  const { server, wire: open } = await opened(t, hello, { listener: { limits: { connectionMaxCount: 1 } } });
  const wire = await open();
  await wire.write(get('/')).response();
  await (await open()).closed();
  wire.socket.end();
  await eventually(() => server.status().connections.total === 0);
  assert.equal(asked, 0);
  assert.equal(new Socket().remoteAddress, undefined);
  assert.equal(asked, 1);
});
