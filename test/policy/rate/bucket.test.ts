import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RATE_ALGORITHM_DEFAULTS, RATE_ALGORITHMS } from '../../../src/policy/rate/algorithms.ts';
import { leakyBucket, tokenBucket } from '../../../src/policy/rate/bucket.ts';
import { checkEveryStretch, singleKey } from './single-key.ts';

/** The clock is counted in ticks of 0.13 µs at most. */
const TICK_MS = 0.000_13;

const arrivals = (maxGapMs: number) =>
  fc.array(
    fc.record({
      gapMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: maxGapMs, noNaN: true })),
      cost: fc.integer({ min: 1, max: 4 }),
    }),
    {
      maxLength: 60,
    },
  );
/** Rates whose token per millisecond is a power of two, so that a model in plain numbers is exact. */
const exactRate = fc.constantFrom(15.625, 125, 250, 1000, 8000);

test('a token bucket admits its burst at once, then one for each token that comes back', () => {
  const admit = singleKey(tokenBucket({ requestsPerSec: 10, burstCount: 3 }));
  assert.deepEqual(admit(1000), { admitted: true, waitMs: 0, retryAfterMs: 0, remainingCount: 2, resetMs: 100 });
  assert.deepEqual(admit(1000), { admitted: true, waitMs: 0, retryAfterMs: 0, remainingCount: 1, resetMs: 200 });
  assert.deepEqual(admit(1000), { admitted: true, waitMs: 0, retryAfterMs: 0, remainingCount: 0, resetMs: 300 });
  assert.deepEqual(admit(1000), { admitted: false, waitMs: 0, retryAfterMs: 100, remainingCount: 0, resetMs: 300 });
  assert.equal(admit(1099).admitted, false);
  assert.equal(admit(1100).admitted, true);
  assert.equal(admit(1100).admitted, false);
  // Hours later it is full, not more than full.
  const later = 1100 + 5 * 3_600_000;
  assert.deepEqual(
    [1, 2, 3, 4].map(() => admit(later).admitted),
    [true, true, true, false],
  );
});

test('a burst is admitted whole at any instant and rate, and not one more', () => {
  const property = fc.property(
    fc.double({ min: 0.001, max: 1e6, noNaN: true }),
    fc.integer({ min: 1, max: 200 }),
    fc.double({ min: 0, max: 1e10, noNaN: true }),
    (requestsPerSec, burstCount, nowMs) => {
      const admit = singleKey(tokenBucket({ requestsPerSec, burstCount }));
      for (let left = burstCount - 1; left >= 0; left -= 1) {
        const decision = admit(nowMs);
        assert.equal(decision.admitted, true);
        assert.equal(decision.remainingCount, left);
      }
      assert.equal(admit(nowMs).admitted, false);
    },
  );
  fc.assert(property);
});

test('a token bucket decides as its textbook does: tokens that grow with time, capped, one number each', () => {
  const property = fc.property(
    exactRate,
    fc.integer({ min: 1, max: 10 }),
    arrivals(300),
    (requestsPerSec, burstCount, all) => {
      const admit = singleKey(tokenBucket({ requestsPerSec, burstCount }));
      let nowMs = 0;
      let tokens = burstCount;
      for (const { gapMs, cost } of all) {
        // Whole 1/64 ms keep the model exact too.
        const gap = Math.floor(gapMs * 64) / 64;
        nowMs += gap;
        tokens = Math.min(burstCount, tokens + (gap * requestsPerSec) / 1000);
        const decision = admit(nowMs, cost);
        assert.equal(decision.admitted, tokens >= cost);
        if (tokens >= cost) tokens -= cost;
        assert.equal(decision.remainingCount, Math.floor(tokens));
        assert.equal(decision.resetMs, ((burstCount - tokens) * 1000) / requestsPerSec);
      }
    },
  );
  fc.assert(property);
});

test('GCRA decides as I.371 says: conforming unless a cell comes before its theoretical arrival time less the limit', () => {
  const property = fc.property(
    exactRate,
    fc.integer({ min: 1, max: 10 }),
    arrivals(300),
    (requestsPerSec, burstCount, all) => {
      const admit = singleKey(RATE_ALGORITHMS.gcra.make({ ...RATE_ALGORITHM_DEFAULTS, requestsPerSec, burstCount }));
      const emissionMs = 1000 / requestsPerSec;
      const limitMs = (burstCount - 1) * emissionMs;
      let nowMs = 0;
      let arrivalMs = 0;
      for (const { gapMs } of all) {
        nowMs += Math.floor(gapMs * 64) / 64;
        const conforming = nowMs >= arrivalMs - limitMs;
        assert.equal(admit(nowMs).admitted, conforming);
        if (conforming) arrivalMs = Math.max(nowMs, arrivalMs) + emissionMs;
      }
    },
  );
  fc.assert(property);
});

test('in no stretch of time is more admitted than the burst and what came back in it', () => {
  const property = fc.property(
    fc.double({ min: 0.01, max: 1e5, noNaN: true }),
    fc.integer({ min: 1, max: 10 }),
    arrivals(500),
    fc.double({ min: 0, max: 1e10, noNaN: true }),
    (requestsPerSec, burstCount, all, startMs) => {
      const admit = singleKey(tokenBucket({ requestsPerSec, burstCount }));
      let atMs = startMs;
      const admitted = all.flatMap(({ gapMs, cost }) => {
        atMs += gapMs;
        return admit(atMs, cost).admitted ? [{ atMs, cost }] : [];
      });
      const slackMs = TICK_MS + 2 * Number.EPSILON * atMs;
      checkEveryStretch(admitted, (timeMs) => burstCount + (requestsPerSec * (timeMs + slackMs)) / 1000);
    },
  );
  fc.assert(property);
});

test('fractions of a token are kept however often it is asked: ten thousand refusals cost nothing', () => {
  const property = fc.property(
    fc.double({ min: 0.1, max: 50, noNaN: true }),
    fc.double({ min: 0.01, max: 5, noNaN: true }),
    (requestsPerSec, stepMs) => {
      const admit = singleKey(tokenBucket({ requestsPerSec, burstCount: 5 }));
      let total = 0;
      let nowMs = 0;
      for (let asked = 0; asked < 10_000; asked += 1) {
        nowMs = asked * stepMs;
        while (admit(nowMs).admitted) total += 1;
      }
      const most = 5 + (requestsPerSec * (nowMs + TICK_MS)) / 1000;
      const least = 5 + (requestsPerSec * (nowMs - TICK_MS)) / 1000;
      assert.ok(total <= most && total >= Math.floor(least), `${total} of ${most}`);
    },
  );
  fc.assert(property, { numRuns: 20 });
});

test('who comes again after retryAfterMs is admitted, and not much before', () => {
  const property = fc.property(
    fc.double({ min: 0.01, max: 1e4, noNaN: true }),
    fc.integer({ min: 1, max: 10 }),
    fc.integer({ min: 1, max: 10 }),
    fc.double({ min: 0, max: 1e9, noNaN: true }),
    (requestsPerSec, burstCount, cost, nowMs) => {
      const admit = singleKey(tokenBucket({ requestsPerSec, burstCount }));
      while (admit(nowMs).admitted);
      const { retryAfterMs } = admit(nowMs, cost);
      if (cost > burstCount) {
        assert.equal(retryAfterMs, Number.POSITIVE_INFINITY);
        return;
      }
      assert.equal(admit(nowMs + retryAfterMs - 2 * TICK_MS, cost).admitted, false);
      assert.equal(admit(nowMs + retryAfterMs + 2 * TICK_MS, cost).admitted, true);
    },
  );
  fc.assert(property);
});

test('a leaky bucket lets one go at a time, an interval apart, and refuses whom its queue has no room for', () => {
  const admit = singleKey(leakyBucket({ requestsPerSec: 10, queueMaxCount: 2 }));
  assert.deepEqual([admit(0).waitMs, admit(0).waitMs, admit(0).waitMs], [0, 100, 200]);
  assert.deepEqual(admit(0), { admitted: false, waitMs: 0, retryAfterMs: 100, remainingCount: 0, resetMs: 300 });
  assert.deepEqual(admit(100), { admitted: true, waitMs: 200, retryAfterMs: 0, remainingCount: 0, resetMs: 300 });
});

test('what a leaky bucket lets go is an interval apart, and no more wait than its queue holds', () => {
  const property = fc.property(
    fc.double({ min: 0.1, max: 1e4, noNaN: true }),
    fc.integer({ min: 1, max: 10 }),
    arrivals(200),
    (requestsPerSec, queueMaxCount, all) => {
      const admit = singleKey(leakyBucket({ requestsPerSec, queueMaxCount }));
      let nowMs = 0;
      let leaves: number[] = [];
      for (const { gapMs } of all) {
        nowMs += gapMs;
        const decision = admit(nowMs);
        const last = leaves.at(-1) ?? Number.NEGATIVE_INFINITY;
        leaves = leaves.filter((leaveMs) => leaveMs > nowMs - 1 / requestsPerSec);
        if (!decision.admitted) continue;
        const leaveMs = nowMs + decision.waitMs;
        assert.ok(leaveMs - last >= 1000 / requestsPerSec - 2 * TICK_MS);
        leaves.push(leaveMs);
        assert.ok(leaves.filter((each) => each > nowMs + TICK_MS).length <= queueMaxCount);
      }
    },
  );
  fc.assert(property);
});

test('wrong options are named', () => {
  assert.throws(() => tokenBucket({ requestsPerSec: 0, burstCount: 0 }), /requestsPerSec.*burstCount/);
  assert.throws(() => leakyBucket({ queueMaxCount: 0.5 }), /leaky bucket: queueMaxCount/);
});
