import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PoolOptions } from '../../src/upstream/options.ts';
import { type MemoryClient, MemoryPool } from './memory.ts';

const loads = (it: MemoryPool): number[] => it.endpoints.map(({ loadCount }) => loadCount);

for (const balance of ['least-loaded', 'weighted-least-loaded', 'power-of-two'] as const) {
  test(`${balance}: a burst is spread by what every endpoint will have to do, also where no connection is open yet`, () => {
    const it = new MemoryPool({}, 2, balance);
    it.askAll(20);
    for (const attempt of it.attempts.splice(0)) attempt.connect(100);
    const [a, b] = loads(it);
    assert.ok(a !== undefined && b !== undefined && a + b === 20);
    // One has a lot to do, and the other one has lost its connections.
    for (const pooled of it.endpoints[1]?.connections ?? []) pooled.connection.close('peer-closed');
    assert.deepEqual(loads(it), [a, 0]);
    const more = it.askAll(a + 20);
    const asked = more.filter(({ waiter }) => waiter !== null).length;
    assert.deepEqual([it.endpoints[1]?.activeCount, it.endpoints[1]?.loadCount], [0, asked]);
    // Not all of them.
    assert.ok(asked > a / 2 && asked < a + 20, `${asked} of ${a + 20}`);
    for (const attempt of it.attempts) attempt.connect(100);
    assert.equal(it.endpoints[1]?.activeCount, asked);
  });
}

/** Two that wait for a connection to the first of two endpoints. */
function waiting(given: Partial<PoolOptions> = {}): { it: MemoryPool; first: MemoryClient; second: MemoryClient } {
  const it = new MemoryPool({ connectionTotalMaxCount: 1, ...given }, 2);
  const [first, second] = it.askAll(2);
  assert.ok(first?.waiter?.connecting && second?.waiter?.connecting);
  assert.deepEqual(loads(it), [2, 0]);
  assert.deepEqual([it.endpoints[0]?.activeCount, it.pool.waitingCount], [0, 2]);
  return { it, first, second };
}

test('who waits for a connection is load of its endpoint until it is there, and then it is what it answers', () => {
  const { it } = waiting();
  const connection = it.attempt(0).connect(1);
  // The other one waits for room now, which is nobody's load.
  assert.deepEqual([loads(it), it.endpoints[0]?.activeCount, it.pool.waitingCount], [[1, 0], 1, 1]);
  connection.finish();
  assert.deepEqual(loads(it), [1, 0]);
  connection.finish();
  assert.deepEqual(loads(it), [0, 0]);
});

test('served elsewhere it is no load of the endpoint that it waited for', () => {
  const it = new MemoryPool({ streamMaxCount: 1 }, 2);
  it.askAll(2);
  assert.deepEqual(loads(it), [1, 1]);
  const connection = it.attempt(0).connect(1, false);
  connection.finish();
  assert.deepEqual([loads(it), it.servedNames], [[1, 0], '1 2']);
  it.attempt(1).connect(1, false);
  assert.deepEqual(loads(it), [1, 0]);
});

test('nor is it when it leaves', () => {
  const { it, first, second } = waiting();
  assert.ok(first.waiter && second.waiter);
  assert.equal(it.pool.leave(second.waiter), true);
  assert.deepEqual(loads(it), [1, 0]);
  assert.equal(it.pool.leave(second.waiter), false);
  assert.equal(it.pool.leave(first.waiter), true);
  assert.deepEqual(loads(it), [0, 0]);
});

test('nor when the endpoint cannot be reached: it is load of the next one then', () => {
  const { it } = waiting();
  it.attempt(0).fail();
  assert.deepEqual(loads(it), [0, 2]);
  it.attempt(1).fail();
  assert.deepEqual([loads(it), it.pool.waitingCount], [[0, 0], 0]);
});

test('nor when that takes too long, or it waits in vain until its own time is over', () => {
  const { it } = waiting();
  it.clock.advance(2000);
  assert.deepEqual(loads(it), [0, 2]);
  it.clock.advance(2000);
  assert.deepEqual([loads(it), it.pool.waitingCount], [[0, 0], 0]);
});

test('nor when the upstream is closed', () => {
  const { it, first } = waiting();
  it.life.close();
  assert.deepEqual([loads(it), first.outcome], [[0, 0], 'upstream-closed']);
});

test('an endpoint that is drained keeps the load of those that wait for it, to the last one', () => {
  const { it, first, second } = waiting();
  const [drained] = it.endpoints;
  assert.ok(drained && second.waiter);
  it.retire(drained);
  assert.deepEqual(loads(it), [2, 0]);
  it.pool.leave(second.waiter);
  it.attempt(0).connect(1);
  assert.deepEqual([loads(it), first.connection !== null], [[1, 0], true]);
  first.connection?.finish();
  assert.deepEqual(loads(it), [0, 0]);
});
