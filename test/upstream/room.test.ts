import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Endpoint } from '../../src/upstream/endpoint.ts';
import { type MemoryClient, type MemoryConnection, MemoryPool } from './memory.ts';

/** A pool to so many endpoints, each with a busy connection, over HTTP/1.1. */
function busy(endpointCount: number): { it: MemoryPool; connections: MemoryConnection[] } {
  const it = new MemoryPool({ connectionMaxCount: 1 }, endpointCount);
  it.askAll(endpointCount);
  return { it, connections: it.attempts.map((attempt) => attempt.connect(1, false)) };
}

test('where no endpoint has room none is asked, neither for a new request nor for those that wait', ({ mock }) => {
  const { it, connections } = busy(50);
  const asked = mock.method(Endpoint.prototype, 'hasFree');
  const waiting = Array.from({ length: 20 }, (_, index) => it.ask(`late ${index}`));
  it.pool.pump();
  assert.equal(asked.mock.callCount(), 0);
  connections[30]?.finish();
  assert.equal(it.pool.waitingCount, 19);
  assert.equal(waiting[0]?.connection, connections[30], 'whoever came first has what is free');
  assert.equal(asked.mock.callCount(), 0);
});

test('nor is anybody asked when the last idle connection has been taken', ({ mock }) => {
  const { it, connections } = busy(50);
  connections[7]?.finish();
  assert.equal(it.ask('takes it').connection, connections[7]);
  const asked = mock.method(Endpoint.prototype, 'hasFree');
  it.ask('late');
  assert.equal(asked.mock.callCount(), 0);
});

test('who leaves makes room for one more on the connection that is being opened', () => {
  const it = new MemoryPool({ connectionMaxCount: 1, streamMaxCount: 2 });
  const [first, second] = it.askAll(2);
  const waits = it.ask('waits');
  assert.ok(first?.waiter && second?.waiter && waits.waiter);
  assert.equal(waits.waiter.connecting, null);
  it.pool.leave(waits.waiter);
  it.pool.leave(second.waiter);
  assert.equal(it.ask('joins').waiter?.connecting, first.waiter.connecting);
});

test('at the cap over all endpoints none is asked either, however many may have more connections of their own', ({
  mock,
}) => {
  const it = new MemoryPool({ connectionMaxCount: 4, connectionTotalMaxCount: 3 }, 50);
  const asking = it.askAll(3);
  const connections = it.attempts.map((attempt) => attempt.connect(1, false));
  const asked = mock.method(Endpoint.prototype, 'hasFree');
  const late = it.ask('late');
  it.pool.pump();
  assert.equal(asked.mock.callCount(), 0);
  connections[1]?.close('peer-error');
  assert.equal(late.connection, null);
  it.attempts.at(-1)?.connect(1, false);
  assert.notEqual(late.connection, null);
  assert.deepEqual(
    asking.map(({ outcome }) => outcome),
    [null, 'upstream-reset', null],
  );
});

test('an endpoint that may not be asked is not taken for room', ({ mock }) => {
  const it = new MemoryPool({ connectionMaxCount: 1 }, 3);
  const [out] = it.endpoints;
  assert.ok(out);
  it.retire(out);
  it.askAll(2);
  for (const attempt of it.attempts) attempt.connect(1, false);
  const asked = mock.method(Endpoint.prototype, 'hasFree');
  it.ask('late');
  assert.equal(asked.mock.callCount(), 0);
  assert.equal(it.pool.waitingCount, 1);
});

test('at the cap over all endpoints the connection gives way that has been idle for longest', () => {
  const it = new MemoryPool({ connectionMaxCount: 4, connectionTotalMaxCount: 4 }, 4);
  const connections = it.askAll(4).map((_, index) => it.attempt(index).connect(1, false));
  const [first, second, third, fourth] = connections;
  assert.ok(first && second && third && fourth);
  for (const connection of [third, first, fourth, second]) connection.finish();
  // Used again, and idle again: it is the last one now.
  const used = it.ask('again').connection;
  used?.finish();
  const others = [third, first, fourth, second].filter((connection) => connection !== used);
  for (const connection of [...others, used]) {
    assert.equal(connection?.life.phase, 'accepting');
    it.ask('fresh', true);
    assert.equal(connection?.life.phase, 'closed', 'it has given way');
  }
});

test('what is in use does not give way, though it was idle for longest', () => {
  const it = new MemoryPool({ connectionMaxCount: 2, connectionTotalMaxCount: 2 }, 2);
  const [a, b] = it.askAll(2).map((_, index) => it.attempt(index).connect(1, false));
  assert.ok(a && b);
  a.finish();
  b.finish();
  const user: MemoryClient = it.ask('user');
  const [used, idle] = user.connection === a ? [a, b] : [b, a];
  it.ask('fresh', true);
  assert.deepEqual([used.life.phase, idle.life.phase], ['accepting', 'closed']);
  it.ask('waits', true);
  assert.equal(it.pool.waitingCount, 2);
});
