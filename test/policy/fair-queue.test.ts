import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FairPlace, FairQueue } from '../../src/policy/fair-queue.ts';

function fill(queue: FairQueue<string>, tenant: string, weight: number, count: number): void {
  for (let index = 0; index < count; index += 1) assert.ok(queue.offer(tenant, weight, `${tenant}${index}`));
}

function drain<Item>(queue: FairQueue<Item>): Item[] {
  const items: Item[] = [];
  for (let item = queue.take(); item !== undefined; item = queue.take()) items.push(item);
  return items;
}

test('tenants take turns, each as often in a round as its weight says, in the order of its own', () => {
  const queue = new FairQueue<string>();
  fill(queue, 'a', 2, 5);
  fill(queue, 'b', 1, 3);
  assert.deepEqual(drain(queue), ['a0', 'a1', 'b0', 'a2', 'a3', 'b1', 'a4', 'b2']);
  assert.deepEqual([queue.count, queue.tenantCount], [0, 0]);
});

test('fractions of a weight add up over the rounds', () => {
  const queue = new FairQueue<string>();
  fill(queue, 'a', 1.5, 6);
  fill(queue, 'b', 1, 4);
  assert.deepEqual(drain(queue), ['a0', 'b0', 'a1', 'a2', 'b1', 'a3', 'b2', 'a4', 'a5', 'b3']);
});

test('who sends much leaves room for who sends little', () => {
  const queue = new FairQueue<number>({ queueMaxCount: 100 });
  let greedyCount = 0;
  while (queue.offer('greedy', 1, greedyCount)) greedyCount += 1;
  assert.equal(greedyCount, 50);
  assert.ok(queue.offer('modest', 1, 0));
  assert.equal(queue.offer('greedy', 1, 0), null);
  // A weight is a share of the room too: 50 of 2 × the 49 that are left.
  assert.ok(queue.offer('greedy', 2, 0));
});

test('a tenant has its own bound when there is one', () => {
  const queue = new FairQueue<number>({ tenantQueueMaxCount: 2 });
  assert.deepEqual(
    [1, 2, 3].map((item) => queue.offer('a', 1, item) !== null),
    [true, true, false],
  );
  assert.ok(queue.offer('b', 1, 1));
});

test('as long as all have something waiting, the shares are those of the weights, within one round', () => {
  const weights = fc.array(fc.double({ min: 1, max: 8, noNaN: true }), { minLength: 2, maxLength: 6 });
  const property = fc.property(weights, fc.integer({ min: 1, max: 300 }), (all, takeCount) => {
    const queue = new FairQueue<number>({ queueMaxCount: 1_000_000 });
    const served = all.map(() => 0);
    for (const [tenant, weight] of all.entries()) queue.offer(`${tenant}`, weight, tenant);
    const total = all.reduce((sum, weight) => sum + weight, 0);
    for (let taken = 0; taken < takeCount; taken += 1) {
      // One waits, and one more comes before each is taken: everybody always waits.
      for (const [tenant, weight] of all.entries()) queue.offer(`${tenant}`, weight, tenant);
      const tenant = queue.take();
      assert.ok(tenant !== undefined);
      served[tenant] = (served[tenant] ?? 0) + 1;
    }
    // Whole rounds give each its weight, within one request; the current round is the rest.
    for (const [tenant, weight] of all.entries()) {
      const rounds = (served[tenant] ?? 0) / weight;
      assert.ok(
        Math.abs(rounds - takeCount / total) <= 1 + 1 / weight + all.length / total,
        `${rounds} of ${takeCount / total}`,
      );
    }
  });
  fc.assert(property);
});

test('nobody waits longer than the others are allowed in one round, however many they send', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 });
  const property = fc.property(weights, fc.nat(50), (all, beforeCount) => {
    const queue = new FairQueue<string>({ queueMaxCount: 1_000_000 });
    const flood = (): void => {
      for (const [tenant, weight] of all.entries()) queue.offer(`${tenant}`, weight, 'flood');
    };
    for (let round = 0; round < 20; round += 1) flood();
    for (let taken = 0; taken < beforeCount; taken += 1) queue.take();
    queue.offer('late', 1, 'late');
    let waited = 0;
    for (; queue.take() !== 'late'; waited += 1) flood();
    assert.ok(waited <= all.reduce((sum, weight) => sum + weight, 0));
  });
  fc.assert(property);
});

test('nothing is lost, nothing twice, and the bounds hold, whatever is offered and taken', () => {
  const step = fc.oneof(
    fc.record({ tenant: fc.constantFrom('a', 'b', 'c'), weight: fc.double({ min: 0, max: 4, noNaN: true }) }),
    fc.constant(null),
  );
  const property = fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
    const queue = new FairQueue<number>({ queueMaxCount: 90 });
    const waiting = new Set<number>();
    for (const [item, next] of steps.entries()) {
      if (next === null) {
        const taken = queue.take();
        assert.equal(taken === undefined, waiting.size === 0);
        if (taken !== undefined) assert.ok(waiting.delete(taken));
      } else if (queue.offer(next.tenant, next.weight, item) !== null) waiting.add(item);
      assert.equal(queue.count, waiting.size);
      assert.ok(queue.count <= 90);
    }
    assert.deepEqual(new Set(drain(queue)), waiting);
    assert.equal(queue.tenantCount, 0);
  });
  fc.assert(property);
});

test('wrong options are named', () => {
  assert.throws(
    () => new FairQueue({ queueMaxCount: 0, tenantQueueMaxCount: 0 }),
    /queueMaxCount.*tenantQueueMaxCount/,
  );
});

test('who withdraws is not served, and leaves its room to others', () => {
  const queue = new FairQueue<string>({ queueMaxCount: 4 });
  const place = queue.offer('a', 4, 'a0');
  assert.ok(place !== null && queue.offer('a', 4, 'a1') !== null);
  fill(queue, 'b', 4, 2);
  assert.equal(queue.offer('a', 1, 'more'), null);
  assert.ok(queue.withdraw(place));
  assert.equal(queue.withdraw(place), false);
  assert.ok(queue.offer('b', 4, 'b2'));
  assert.deepEqual(drain(queue), ['a1', 'b0', 'b1', 'b2']);
});

test('any mixture of offers, turns and withdrawals serves each once that did not withdraw, in the order of its tenant', () => {
  const step = fc.record({
    kind: fc.constantFrom('offer', 'offer', 'take', 'withdraw'),
    at: fc.nat(20),
    of: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new FairQueue<number>({ queueMaxCount: 50 });
      const waiting: { tenant: string; item: number; place: FairPlace<number> }[] = [];
      const served: number[] = [];
      const takeOne = (): void => {
        const item = queue.take();
        const index = waiting.findIndex((entry) => entry.item === item);
        assert.equal(item === undefined, waiting.length === 0);
        if (item === undefined) return;
        const entry = waiting[index];
        assert.equal(
          waiting.find(({ tenant }) => tenant === entry?.tenant),
          entry,
        );
        waiting.splice(index, 1);
        served.push(item);
      };
      steps.forEach(({ kind, at, of }, item) => {
        const tenant = `tenant ${of}`;
        if (kind === 'offer') {
          const place = queue.offer(tenant, 1 + of, item);
          if (place !== null) waiting.push({ tenant, item, place });
        } else if (kind === 'take') takeOne();
        else {
          const [entry] = waiting.splice(at % Math.max(1, waiting.length), 1);
          if (entry !== undefined) assert.ok(queue.withdraw(entry.place));
        }
        assert.equal(queue.count, waiting.length);
        assert.equal(queue.tenantCount, new Set(waiting.map((entry) => entry.tenant)).size);
      });
      while (queue.count > 0) takeOne();
      assert.equal(waiting.length, 0);
    }),
  );
});
