import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WeightedRoundRobin } from '../../../src/policy/balance/weighted-round-robin.ts';
import { countOf, type Fake, fakes, filled, picked } from './candidates.ts';

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const balanced = (weights: readonly number[]): WeightedRoundRobin<Fake> =>
  filled(new WeightedRoundRobin<Fake>(), fakes(weights));

test('weights 5, 1, 1 are spread: never more than three turns in a row, where 5 of 7 cannot do with two', () => {
  assert.equal(picked(balanced([5, 1, 1]), 14).join(' '), 'w1 w2 w1 w1 w3 w1 w1 w1 w2 w1 w1 w3 w1 w1');
});

test('equal weights take turns in the order they came', () => {
  assert.deepEqual(picked(balanced([2, 2, 2]), 6), ['w1', 'w2', 'w3', 'w1', 'w2', 'w3']);
});

const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 12 });

test('each round gives each candidate exactly its weight, as nginx does', () => {
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 4 }), (each, roundCount) => {
      const balancer = balanced(each);
      for (let round = 0; round < roundCount; round += 1) {
        const counts = countOf(picked(balancer, sum(each)));
        assert.deepEqual(
          each.map((_, index) => counts[`w${index + 1}`]),
          each,
        );
      }
    }),
  );
});

test('nobody is ever a turn ahead of its share, or two behind', () => {
  fc.assert(
    fc.property(weights, (each) => {
      const total = sum(each);
      const counts = new Map<string, number>();
      for (const [index, id] of picked(balanced(each), 2 * total).entries()) {
        counts.set(id, (counts.get(id) ?? 0) + 1);
        for (const [at, weight] of each.entries()) {
          const ahead = (counts.get(`w${at + 1}`) ?? 0) - ((index + 1) * weight) / total;
          assert.ok(ahead < 1 && ahead > -(1 + weight / total) - 1e-9, `${ahead} after ${index + 1} of ${each.join()}`);
        }
      }
    }),
  );
});

test('nobody has more turns in a row than 1 + W / (W - weight)', () => {
  fc.assert(
    fc.property(weights, (each) => {
      fc.pre(each.length > 1);
      const total = sum(each);
      let run = 0;
      let last = '';
      for (const id of picked(balanced(each), 3 * total)) {
        run = id === last ? run + 1 : 1;
        last = id;
        const weight = each[Number(id.slice(1)) - 1] ?? 0;
        assert.ok(run <= 1 + total / (total - weight), `${run} times ${id} of ${each.join()}`);
      }
    }),
  );
});

test('those that are left share in proportion while others are not usable', () => {
  const balancer = balanced([6, 3, 1, 2]);
  const counts = countOf(picked(balancer, 500, (item) => item.id === 'w2' || item.id === 'w4'));
  assert.ok(Math.abs((counts.w2 ?? 0) - 300) <= 2, JSON.stringify(counts));
  assert.equal((counts.w2 ?? 0) + (counts.w4 ?? 0), 500);
});

test('one that was not usable for long is not owed what it missed', () => {
  const balancer = balanced([1, 1, 1]);
  picked(balancer, 3000, (item) => item.id !== 'w1');
  const counts = countOf(picked(balancer, 30));
  for (const id of ['w1', 'w2', 'w3']) assert.ok(Math.abs((counts[id] ?? 0) - 10) <= 1, JSON.stringify(counts));
});

test('a weight that grows counts from the next turn on, and one that comes late is owed no turns', () => {
  const items = fakes([1, 0.001]);
  const balancer = filled(new WeightedRoundRobin<Fake>(), items);
  picked(balancer, 100);
  const [, slow] = items;
  assert.ok(slow);
  slow.weight = 1;
  balancer.update(slow);
  assert.ok(Math.abs((countOf(picked(balancer, 100)).w2 ?? 0) - 50) <= 1);
  const [, , late] = fakes([1, 1, 1]);
  assert.ok(late);
  balancer.add(late);
  assert.ok(Math.abs((countOf(picked(balancer, 90)).w3 ?? 0) - 30) <= 1);
});

test('turns are as evenly spread after a large weight has gone as if it had never been', () => {
  const items = fakes([5, 1, 1, 500]);
  const balancer = filled(new WeightedRoundRobin<Fake>(), items);
  const [, , , large] = items;
  assert.ok(large);
  balancer.remove(large);
  assert.equal(picked(balancer, 7).join(' '), 'w1 w2 w1 w1 w3 w1 w1');
});

test('shares stay exact over many turns, when virtual time has begun anew', () => {
  // One turn of weight 0.001 takes a thousand units: virtual time begins anew after about 2 000 turns.
  const balancer = balanced([0.001, 0.001]);
  const counts = countOf(picked(balancer, 10_000));
  assert.deepEqual(counts, { w1: 5000, w2: 5000 });
});
