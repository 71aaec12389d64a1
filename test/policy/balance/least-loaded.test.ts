import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LeastLoaded } from '../../../src/policy/balance/least-loaded.ts';
import { always, countOf, Fake, fakes, filled, picked, seeded } from './candidates.ts';

test('the one with the fewest requests is chosen; weighted, with the fewest for its weight', () => {
  for (const weighted of [false, true]) {
    const [big, small] = fakes([4, 1]);
    assert.ok(big && small);
    big.loadCount = 3;
    small.loadCount = 1;
    const balancer = filled(new LeastLoaded<Fake>(weighted), [big, small]);
    assert.equal(balancer.pick(always), weighted ? big : small);
  }
});

test('those that are equal take turns; weighted, in proportion to their weights', () => {
  assert.deepEqual(picked(filled(new LeastLoaded<Fake>(false), fakes([5, 1, 1])), 6), [
    'w1',
    'w2',
    'w3',
    'w1',
    'w2',
    'w3',
  ]);
  assert.deepEqual(countOf(picked(filled(new LeastLoaded<Fake>(true), fakes([5, 2, 1])), 80)), {
    w1: 50,
    w2: 20,
    w3: 10,
  });
});

test('one that was busy for long is not owed turns when it is free again', () => {
  const items = fakes([1, 1, 1]);
  const balancer = filled(new LeastLoaded<Fake>(false), items);
  const [busy] = items;
  assert.ok(busy);
  const load = (loadCount: number): void => {
    busy.loadCount = loadCount;
    balancer.update(busy);
  };
  load(1);
  assert.equal(countOf(picked(balancer, 100)).w1, undefined);
  load(0);
  // It is the first, for the turn that it had before; that is all.
  for (const count of Object.values(countOf(picked(balancer, 30)))) assert.ok(Math.abs(count - 10) <= 1, `${count}`);
});

test('whatever begins and ends, the chosen one has the least load of all that are usable', () => {
  const event = fc.record({ end: fc.boolean(), at: fc.nat(50), unusable: fc.nat(63) });
  fc.assert(
    fc.property(fc.boolean(), fc.array(event, { maxLength: 200 }), (weighted, events) => {
      const items = fakes([1, 2, 3, 5, 1, 1]);
      const balancer = filled(new LeastLoaded<Fake>(weighted), items);
      const running: Fake[] = [];
      const load = (item: Fake): number => item.loadCount / (weighted ? item.weight : 1);
      for (const { end, at, unusable } of events) {
        const usable = (item: Fake): boolean => ((unusable >> items.indexOf(item)) & 1) === 0;
        const item = end ? running.splice(at % (running.length || 1), 1)[0] : (balancer.pick(usable) ?? undefined);
        if (item === undefined) continue;
        if (!end) {
          assert.equal(load(item), Math.min(...items.filter(usable).map(load)));
          running.push(item);
        }
        item.loadCount += end ? -1 : 1;
        balancer.update(item);
      }
    }),
  );
});

test('under a steady load each holds its share, to within one request', () => {
  const items = fakes([1, 2, 4]);
  const balancer = filled(new LeastLoaded<Fake>(true), items);
  const random = seeded(5);
  const running: Fake[] = [];
  for (let i = 0; i < 2000; i += 1) {
    const item = balancer.pick(always);
    assert.ok(item);
    item.loadCount += 1;
    balancer.update(item);
    running.push(item);
    if (running.length <= 70) continue;
    const [ended] = running.splice(Math.floor(random() * running.length), 1);
    assert.ok(ended);
    ended.loadCount -= 1;
    balancer.update(ended);
  }
  // Ends are drawn at random, so a share may fall below its due between two choices; it never grows beyond it by one.
  for (const { loadCount, weight } of items) assert.ok(loadCount <= 10 * weight + weight + 1, `${loadCount}`);
});

test('a new candidate takes the turns of one, not all that it has missed', () => {
  const balancer = filled(new LeastLoaded<Fake>(false), fakes([1, 1]));
  picked(balancer, 1000);
  balancer.add(new Fake('new'));
  assert.deepEqual(countOf(picked(balancer, 30)), { w1: 10, w2: 10, new: 10 });
});
