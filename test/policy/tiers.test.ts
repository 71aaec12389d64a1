import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { drawShare, SPILL_DEFAULTS, type Strength, tierShares, zoneShares } from '../../src/policy/tiers.ts';

/** Tiers of ten endpoints, of which so many are healthy. */
const tiers = (...healthy: readonly number[]): Strength[] =>
  healthy.map((healthyWeight) => ({ healthyWeight, totalWeight: 10 }));
const percents = (ratios: readonly number[]): number[] => ratios.map((ratio) => Math.round(ratio * 100));
const shared = (...healthy: readonly number[]): number[] =>
  percents(tierShares(tiers(...healthy), SPILL_DEFAULTS).map(({ ratio }) => ratio));
const panics = (...healthy: readonly number[]): boolean[] =>
  tierShares(tiers(...healthy), SPILL_DEFAULTS).map((share) => share.panics);

test('a tier takes 1.4 times what is healthy of it, and the next what that leaves', () => {
  assert.deepEqual(shared(10, 10), [100, 0]);
  assert.deepEqual(shared(8, 10), [100, 0]);
  assert.deepEqual(shared(5, 10), [70, 30]);
  assert.deepEqual(shared(2, 10), [28, 72]);
  assert.deepEqual(shared(0, 10), [0, 100]);
  assert.deepEqual(shared(2, 5, 10), [28, 70, 2]);
});

test('when all together cannot carry the traffic, what they take is scaled up to all of it', () => {
  // 1.4 × 2 / 10 and 1.4 × 3 / 10 are 28 and 42 of 70.
  assert.deepEqual(shared(2, 3), [40, 60]);
  assert.deepEqual(shared(1, 0), [100, 0]);
});

test('when nothing is healthy everybody takes its part', () => {
  assert.deepEqual(shared(0, 0), [50, 50]);
  assert.deepEqual(tierShares([{ totalWeight: 0, healthyWeight: 0 }], SPILL_DEFAULTS)[0]?.ratio, 1);
  assert.deepEqual(tierShares([], SPILL_DEFAULTS), []);
});

test('a tier panics when less than half of it is healthy and the others cannot carry its traffic', () => {
  assert.deepEqual(panics(2, 10), [false, false]);
  assert.deepEqual(panics(2, 3), [true, true]);
  // Together 0.14 + 0.7: not enough; only the first is below half.
  assert.deepEqual(panics(1, 5), [true, false]);
  assert.deepEqual(panics(0, 0), [true, true]);
  assert.equal(tierShares(tiers(0), { ...SPILL_DEFAULTS, panicRatio: null })[0]?.panics, false);
});

test('the own zone takes all it can carry; the others the rest, as they are healthy', () => {
  assert.deepEqual(percents(zoneShares(tiers(8, 10, 10), 0, SPILL_DEFAULTS)), [100, 0, 0]);
  assert.deepEqual(percents(zoneShares(tiers(5, 10, 5), 0, SPILL_DEFAULTS)), [70, 20, 10]);
  assert.deepEqual(percents(zoneShares(tiers(0, 6, 2), 0, SPILL_DEFAULTS)), [0, 75, 25]);
});

test('the own zone takes all when no other is healthy, and nobody comes first when none is', () => {
  assert.deepEqual(percents(zoneShares(tiers(1, 0), 0, SPILL_DEFAULTS)), [100, 0]);
  assert.deepEqual(percents(zoneShares(tiers(0, 0), 1, SPILL_DEFAULTS)), [50, 50]);
  const unhealthy = [1, 3].map((totalWeight) => ({ totalWeight, healthyWeight: 0 }));
  assert.deepEqual(percents(zoneShares(unhealthy, 0, SPILL_DEFAULTS)), [25, 75]);
  const empty = { totalWeight: 0, healthyWeight: 0 };
  assert.deepEqual(percents(zoneShares([empty, empty], 0, SPILL_DEFAULTS)), [50, 50]);
  assert.deepEqual(percents(zoneShares(tiers(3, 1), -1, SPILL_DEFAULTS)), [75, 25]);
});

test('shares add up to 1, and what is not healthy has none while anything is', () => {
  const strength = fc
    .tuple(fc.nat(20), fc.nat(20))
    .map(([a, b]) => ({ healthyWeight: Math.min(a, b), totalWeight: Math.max(a, b, 1) }));
  const options = fc.record({ spareRatio: fc.double({ min: 0, max: 1, noNaN: true }), panicRatio: fc.constant(0.5) });
  fc.assert(
    fc.property(fc.array(strength, { minLength: 1, maxLength: 6 }), fc.nat(5), options, (all, own, spill) => {
      for (const ratios of [tierShares(all, spill).map(({ ratio }) => ratio), zoneShares(all, own, spill)]) {
        assert.ok(Math.abs(ratios.reduce((sum, ratio) => sum + ratio, 0) - 1) < 1e-9, ratios.join());
        if (all.every(({ healthyWeight }) => healthyWeight === 0)) continue;
        for (const [index, ratio] of ratios.entries()) assert.ok(ratio === 0 || (all[index]?.healthyWeight ?? 0) > 0);
      }
    }),
  );
});

test('a draw falls on each share as often as it is large, and never on one of nothing', () => {
  const ratios = [0, 0.25, 0, 0.75, 0];
  assert.deepEqual(
    [0, 0.249, 0.25, 0.999].map((random) => drawShare(ratios, random)),
    [1, 1, 3, 3],
  );
  assert.equal(drawShare([0.1, 0.2], 0.999), 1);
  assert.equal(drawShare([], 0), -1);
  assert.equal(drawShare([0], 0), -1);
});
