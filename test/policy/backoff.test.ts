import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BACKOFF_DEFAULTS, decorrelatedJitterMs, fullJitterMs } from '../../src/policy/backoff.ts';

const options = { baseMs: 100, maxMs: 1000 };
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('full jitter: a part of a wait that doubles up to the maximum', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 1000].map((retry) => fullJitterMs(retry, options, 0.5)),
    [50, 100, 200, 400, 500, 500],
  );
  assert.equal(fullJitterMs(3, options, 0), 0);
});

test('decorrelated jitter: from the base to three times the wait before', () => {
  assert.equal(decorrelatedJitterMs(null, options, 0), 100);
  assert.equal(decorrelatedJitterMs(null, options, 0.5), 200);
  assert.equal(decorrelatedJitterMs(200, options, 0.5), 350);
  assert.equal(decorrelatedJitterMs(900, options, 0.9), 1000);
  assert.equal(decorrelatedJitterMs(10, options, 0.5), 100);
});

test('no wait is longer than the maximum or below 0, also with a base of 0 or above the maximum', () => {
  const ms = fc.oneof(fc.constant(0), fc.nat(1e6));
  fc.assert(
    fc.property(ms, ms, fc.nat(1e6), random, (baseMs, maxMs, retry, value) => {
      const full = fullJitterMs(retry, { baseMs, maxMs }, value);
      assert.ok(full >= 0 && full <= maxMs);
      let waitMs: number | null = null;
      for (let i = 0; i < 50; i += 1) {
        waitMs = decorrelatedJitterMs(waitMs, { baseMs, maxMs }, value);
        assert.ok(waitMs >= Math.min(baseMs, maxMs) && waitMs <= maxMs);
      }
    }),
  );
});

test('full jitter spreads evenly: the mean wait is half of what is allowed', () => {
  const values = Array.from({ length: 100 }, (_, index) => fullJitterMs(2, BACKOFF_DEFAULTS, (index + 0.5) / 100));
  assert.ok(Math.abs(values.reduce((sum, value) => sum + value, 0) / 100 - 50) < 1e-9);
});
