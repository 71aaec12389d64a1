import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryPool } from './memory.ts';

test('requests that come while a connection is being opened wait for it together, and are served in their order', () => {
  const it = new MemoryPool();
  it.askAll(5);
  assert.equal(it.attempts.length, 1);
  const connection = it.attempt(0).connect(100);
  assert.equal(it.servedNames, '1 2 3 4 5');
  assert.equal(connection.running.length, 5);
  it.ask('6');
  assert.equal(connection.running.length, 6);
  assert.deepEqual([it.attempts.length, it.endpoints[0]?.activeCount, it.endpoints[0]?.idle.length], [1, 6, 0]);
});

test('what one connection may carry is bounded by our limit: one more opens another', () => {
  const it = new MemoryPool({ streamMaxCount: 2 });
  it.askAll(5);
  assert.equal(it.attempts.length, 3);
  const first = it.attempt(0).connect(100);
  assert.equal(first.running.length, 2);
  const second = it.attempt(1).connect(100);
  const third = it.attempt(2).connect(100);
  assert.deepEqual([second.running.length, third.running.length], [2, 1]);
  it.ask('6');
  assert.equal(third.running.length, 2);
});

test('a peer that allows less than was hoped for: the others wait for another connection', () => {
  const it = new MemoryPool();
  it.askAll(5);
  assert.equal(it.attempt(0).connect(2).running.length, 2);
  assert.equal(it.attempts.length, 2);
  assert.equal(it.attempt(1).connect(100).running.length, 3);
});

test('at the cap of connections requests wait; an answer that ends, and a limit that is raised, serve those that came first', () => {
  const it = new MemoryPool({ connectionMaxCount: 1 });
  it.askAll(6);
  const connection = it.attempt(0).connect(2);
  assert.deepEqual([it.servedNames, it.pool.waitingCount, it.attempts.length], ['1 2', 4, 1]);
  connection.finish();
  assert.equal(it.servedNames, '1 2 3');
  connection.allow(4);
  assert.equal(it.servedNames, '1 2 3 4 5');
  connection.allow(1);
  connection.finish();
  connection.finish();
  connection.finish();
  assert.equal(it.servedNames, '1 2 3 4 5', 'it carries as many as it may already');
  connection.finish();
  assert.equal(it.servedNames, '1 2 3 4 5 6');
});

test('a limit that is lowered meanwhile is seen by the next request', () => {
  const it = new MemoryPool({ connectionMaxCount: 1, idleTimeoutMs: 1000 });
  it.ask('1');
  const connection = it.attempt(0).connect(100);
  connection.allow(1);
  const second = it.ask('2');
  assert.equal(second.connection, null);
  connection.finish();
  assert.equal(second.connection, connection);
  connection.finish();
  connection.allow(0);
  it.ask('3');
  assert.equal(it.pool.waitingCount, 1, 'nothing may be sent, and no other connection opened');
  connection.allow(1);
  assert.equal(it.servedNames, '1 2 3');
});

test('a connection that is going away takes no more, and is kept until what it carries is answered', () => {
  const it = new MemoryPool();
  const [first] = it.askAll(2);
  const old = it.attempt(0).connect(100);
  old.goAway();
  const third = it.ask('3');
  assert.equal(it.attempts.length, 2);
  const next = it.attempt(1).connect(100);
  assert.equal(third.connection, next);
  old.finish();
  assert.equal(first?.outcome, 'answered');
  assert.equal(it.endpoints[0]?.openCount, 2);
  old.finish();
  assert.equal(it.endpoints[0]?.openCount, 1);
});

test('the idle time begins when the last answer has ended, and never while one runs', () => {
  const it = new MemoryPool({ idleTimeoutMs: 10_000 });
  it.askAll(2);
  const connection = it.attempt(0).connect(100);
  it.clock.advance(30_000);
  connection.finish();
  it.clock.advance(30_000);
  assert.equal(connection.life.phase, 'accepting');
  connection.finish();
  it.clock.advance(9000);
  connection.allow(50);
  assert.deepEqual([connection.life.phase, it.endpoints[0]?.idle.length], ['accepting', 1]);
  it.clock.advance(1500);
  assert.deepEqual([connection.life.phase, connection.life.reason], ['closed', 'idle-timeout']);
});

test('what has free capacity is used before what is idle, so that the surplus can time out', () => {
  const it = new MemoryPool({ streamMaxCount: 2 });
  it.askAll(4);
  const connections = [it.attempt(0).connect(100), it.attempt(1).connect(100)];
  const running = (): number[] => connections.map((connection) => connection.running.length);
  for (const connection of connections) connection.finish();
  for (const connection of connections) connection.finish();
  assert.deepEqual(running(), [0, 0]);
  it.askAll(2);
  assert.deepEqual(running(), [0, 2], 'the one that was used last');
  it.ask('3');
  assert.deepEqual(running(), [1, 2]);
});

test('an endpoint that turns out to speak HTTP/1.1 gets a connection for each request, now and later', () => {
  const it = new MemoryPool();
  it.askAll(3);
  assert.equal(it.attempts.length, 1);
  it.attempt(0).connect(1, false);
  assert.equal(it.attempts.length, 3);
  it.attempt(1).connect(1, false);
  it.attempt(2).connect(1, false);
  it.askAll(2);
  assert.equal(it.attempts.length, 5);
});

test('when a connection cannot be opened all that waited for it go to the next endpoint together', () => {
  const it = new MemoryPool({}, 2);
  const first = it.ask('1');
  it.ask('2');
  const third = it.ask('3');
  assert.deepEqual(
    it.attempts.map(({ endpoint }) => endpoint.address.authority),
    ['127.0.0.1:1', '127.0.0.1:2'],
  );
  it.attempt(0).fail();
  assert.equal(it.attempts.length, 2);
  it.attempt(1).connect(100);
  assert.equal(it.servedNames, '2 1 3', 'they come behind those that were there');
  assert.ok(first.connection === third.connection);
  const dead = new MemoryPool({}, 2);
  const clients = dead.askAll(4);
  const failed = (): (string | null)[] => clients.map(({ outcome }) => outcome);
  dead.attempt(0).fail();
  assert.deepEqual(failed(), [null, null, null, null], 'each has an endpoint left');
  dead.attempt(1).fail();
  assert.deepEqual(failed(), ['upstream-connect', null, 'upstream-connect', null]);
  dead.attempt(2).fail();
  assert.deepEqual(failed(), Array(4).fill('upstream-connect'));
  assert.deepEqual([dead.attempts.length, dead.pool.waitingCount], [3, 0]);
});

test('one that is served while others hear that their connection could not be opened is not sent away with them', () => {
  const it = new MemoryPool({}, 2);
  const [first, second, third] = it.askAll(3);
  const other = it.attempt(1).connect(1);
  assert.equal(second?.connection, other);
  assert.ok(first !== undefined && third !== undefined);
  // As when an endpoint is ejected for the failure, and those that wait are shared out among the rest.
  first.onNoConnection = () => other.allow(100);
  it.attempt(0).fail();
  assert.equal(third.connection, other);
  assert.deepEqual([third.outcome, third.tried.length, other.running.length], [null, 0, 2]);
});

test('a request that is sent again gets a new connection, or where none may be opened one that is in use', () => {
  const it = new MemoryPool({ connectionMaxCount: 2 });
  const [first] = it.askAll(2);
  const connection = it.attempt(0).connect(100);
  connection.refuse();
  assert.equal(first?.outcome, 'upstream-refused');
  const again = it.ask('again', true);
  assert.equal(again.connection, null);
  const second = it.attempt(1).connect(100);
  assert.equal(again.connection, second);
  assert.notEqual(it.ask('once more', true).connection, null);
});

test('many clients that leave leave room for as many others on the connection that is being opened', () => {
  const it = new MemoryPool({ streamMaxCount: 2, connectionMaxCount: 1, queueMaxCount: 1 });
  const [first, second] = it.askAll(2);
  for (const left of [first, second]) if (left?.waiter != null) it.pool.leave(left.waiter);
  const outcomes = it.askAll(4).map(({ outcome }) => outcome);
  assert.deepEqual(outcomes, [null, null, null, 'upstream-queue-full']);
  it.attempt(0).connect(100);
  assert.equal(it.servedNames, '1 2');
});

test('a drain lets what runs on a connection end; what waits is served still', async () => {
  const it = new MemoryPool({ connectionMaxCount: 1 });
  const clients = it.askAll(3);
  const connection = it.attempt(0).connect(2);
  it.life.drain();
  connection.goAway();
  connection.finish();
  connection.finish();
  it.attempt(1).connect(2).finish();
  assert.deepEqual(
    clients.map(({ outcome }) => outcome),
    ['answered', 'answered', 'answered'],
  );
  await it.life.closed();
  assert.equal(it.clock.timerCount, 0);
});
