import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SLOW_START_DEFAULTS, slowStartRatio } from '../../src/policy/slow-start.ts';

const options = { windowMs: 10_000, minRatio: 0.1, aggression: 1 };

test('an endpoint begins with minRatio, has half of its share half way, and all of it at the end', () => {
  for (const [afterMs, ratio] of [
    [-5, 0.1],
    [0, 0.1],
    [500, 0.1],
    [5000, 0.5],
    [9000, 0.9],
    [10_000, 1],
    [3.6e7, 1],
  ] as const) {
    assert.equal(slowStartRatio(77, 77 + afterMs, options), ratio);
  }
});

test('aggression bends the way up: 2 is at half of the share after a quarter of the time', () => {
  assert.equal(slowStartRatio(0, 2500, { ...options, aggression: 2 }), 0.5);
  assert.equal(slowStartRatio(0, 5000, { ...options, aggression: 0.5 }), 0.25);
});

test('a window of 0 is none', () => {
  assert.equal(slowStartRatio(5, 5, { ...options, windowMs: 0 }), 1);
});

test('the ratio never falls, and stays from minRatio to 1', () => {
  const time = fc.nat(60_000);
  const aggression = fc.double({ min: 0.1, max: 10, noNaN: true });
  fc.assert(
    fc.property(time, time, aggression, (a, b, bend) => {
      const early = slowStartRatio(0, Math.min(a, b), { ...SLOW_START_DEFAULTS, aggression: bend });
      const late = slowStartRatio(0, Math.max(a, b), { ...SLOW_START_DEFAULTS, aggression: bend });
      assert.ok(early >= SLOW_START_DEFAULTS.minRatio && early <= late && late <= 1);
    }),
  );
});
