import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RandomChoice } from '../../../src/policy/balance/random.ts';
import { WeightTree } from '../../../src/policy/balance/weight-tree.ts';
import { countOf, type Fake, fakes, filled, picked } from './candidates.ts';

/** Five standard deviations of a share of `count` draws: less than one draw in a million strays further. */
const strayMax = (count: number, share: number): number => 5 * Math.sqrt(count * share * (1 - share));

test('each is drawn in proportion to its weight', () => {
  const counts = countOf(picked(filled(new RandomChoice<Fake>(), fakes([1, 2, 7])), 10_000));
  for (const [id, share] of Object.entries({ w1: 0.1, w2: 0.2, w3: 0.7 })) {
    assert.ok(Math.abs((counts[id] ?? 0) - 10_000 * share) <= strayMax(10_000, share), JSON.stringify(counts));
  }
});

test('what is not usable leaves its share to all others in proportion, not to a neighbour', () => {
  const balancer = filled(new RandomChoice<Fake>(), fakes([1, 96, 2, 1]));
  const counts = countOf(picked(balancer, 10_000, (item) => item.id !== 'w2'));
  for (const [id, share] of Object.entries({ w1: 0.25, w3: 0.5, w4: 0.25 })) {
    assert.ok(Math.abs((counts[id] ?? 0) - 10_000 * share) <= strayMax(10_000, share), JSON.stringify(counts));
  }
});

test('a draw finds the slot that a walk along the weights finds, and never one without weight', () => {
  const weight = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1000 }));
  fc.assert(
    fc.property(fc.array(weight, { maxLength: 40 }), fc.double({ min: 0, max: 1, noNaN: true }), (weights, random) => {
      const tree = new WeightTree();
      for (const [slot, value] of weights.entries()) tree.set(slot, value);
      const total = weights.reduce((sum, value) => sum + value, 0);
      assert.equal(tree.weightSum, total);
      let rest = random * total;
      let walked = weights.findIndex((value) => {
        rest -= value;
        return rest < 0;
      });
      if (walked === -1) walked = weights.findLastIndex((value) => value > 0);
      assert.equal(tree.draw(random), walked);
    }),
  );
});

test('sums are exact after however many changes', () => {
  const tree = new WeightTree();
  for (let i = 0; i < 10_000; i += 1) tree.set(i % 7, i * 0.1);
  for (let slot = 0; slot < 7; slot += 1) tree.set(slot, 0);
  assert.equal(tree.weightSum, 0);
  assert.equal(tree.draw(0.5), -1);
});
