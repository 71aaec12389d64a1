import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { slidingWindow } from '../../../src/policy/rate/sliding-window.ts';
import { checkEveryStretch, singleKey } from './single-key.ts';

test('42 in the window before and 18 in this, 15 s into it, are 42 × 3/4 + 18 = 49.5 of 50', () => {
  const admit = singleKey(slidingWindow({ requestMaxCount: 50, windowMs: 60_000 }));
  assert.equal(admit(59_000, 42).admitted, true);
  // 42 × 0.8 = 33.6 at 72 s leaves 16; at 75 s 31.5 leaves 18.
  assert.equal(admit(72_000, 16).remainingCount, 0);
  assert.equal(admit(75_000, 2).admitted, true);
  const decision = admit(75_000);
  assert.equal(decision.admitted, false);
  assert.equal(decision.remainingCount, 0);
  // 42 × (1 − e) = 31, so e = 11 / 42 of a minute: 15 714 ms into the window.
  assert.ok(Math.abs(decision.retryAfterMs - ((11 / 42) * 60_000 - 15_000)) < 1e-3);
  // This window counts until the end of the next.
  assert.equal(decision.resetMs, 105_000);
});

test('after two windows of nothing the quota is whole, however long it was', () => {
  for (const laterMs of [2000, 10_000, 1e10]) {
    const admit = singleKey(slidingWindow({ requestMaxCount: 3, windowMs: 1000 }));
    assert.equal(admit(0, 3).remainingCount, 0);
    assert.deepEqual(admit(laterMs), { admitted: true, waitMs: 0, retryAfterMs: 0, remainingCount: 2, resetMs: 2000 });
  }
});

const arrivals = fc.array(
  fc.record({
    gapMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 600, noNaN: true })),
    cost: fc.integer({ min: 1, max: 3 }),
  }),
  { maxLength: 80 },
);

test('no window at a fixed place has more than the limit, and no stretch of time T more than L + L × T / window', () => {
  const property = fc.property(fc.integer({ min: 1, max: 12 }), arrivals, (requestMaxCount, all) => {
    const windowMs = 1000;
    const admit = singleKey(slidingWindow({ requestMaxCount, windowMs }));
    let atMs = 0;
    const admitted = all.flatMap(({ gapMs, cost }) => {
      atMs += gapMs;
      return admit(atMs, cost).admitted ? [{ atMs, cost }] : [];
    });
    const counts = new Map<number, number>();
    for (const { atMs: at, cost } of admitted)
      counts.set(Math.floor(at / windowMs), (counts.get(Math.floor(at / windowMs)) ?? 0) + cost);
    for (const count of counts.values()) assert.ok(count <= requestMaxCount);
    checkEveryStretch(admitted, (timeMs) => requestMaxCount + (requestMaxCount * timeMs) / windowMs + 1e-9);
  });
  fc.assert(property);
});

test('the estimate differs from the true count by less than the window before had', () => {
  const property = fc.property(arrivals, (all) => {
    const windowMs = 1000;
    const requestMaxCount = 1000;
    const admit = singleKey(slidingWindow({ requestMaxCount, windowMs }));
    let nowMs = 0;
    const log: { readonly atMs: number; readonly cost: number }[] = [];
    for (const { gapMs, cost } of all) {
      nowMs += gapMs;
      log.push({ atMs: nowMs, cost });
      const estimate = requestMaxCount - admit(nowMs, cost).remainingCount;
      const sum = (from: number, to: number): number =>
        log.filter(({ atMs }) => atMs >= from && atMs < to).reduce((total, each) => total + each.cost, 0);
      const startMs = Math.floor(nowMs / windowMs) * windowMs;
      const before = sum(startMs - windowMs, startMs);
      // The estimate is rounded up to whole requests.
      assert.ok(Math.abs(estimate - sum(nowMs - windowMs, Number.POSITIVE_INFINITY)) <= before + 1);
    }
  });
  fc.assert(property);
});

test('who comes again after retryAfterMs is admitted, and not much before', () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 12 }),
    arrivals,
    fc.integer({ min: 1, max: 13 }),
    (requestMaxCount, all, wanted) => {
      const limit = slidingWindow({ requestMaxCount, windowMs: 1000 });
      const words = new Float64Array(limit.wordCount);
      let nowMs = 0;
      for (const { gapMs, cost } of all) {
        nowMs += gapMs;
        limit.admit(words, 0, nowMs, cost);
      }
      const { admitted, retryAfterMs } = limit.admit(words, 0, nowMs, wanted);
      if (admitted) return;
      assert.equal(retryAfterMs === Number.POSITIVE_INFINITY, wanted > requestMaxCount);
      if (wanted > requestMaxCount) return;
      if (retryAfterMs > 2e-3)
        assert.equal(limit.admit(words.slice(), 0, nowMs + retryAfterMs - 2e-3, wanted).admitted, false);
      assert.equal(limit.admit(words.slice(), 0, nowMs + retryAfterMs, wanted).admitted, true);
    },
  );
  fc.assert(property);
});

test('wrong options are named', () => {
  assert.throws(() => slidingWindow({ windowMs: 0 }), /windowMs/);
  assert.throws(
    () => slidingWindow({ requestMaxCount: 2 ** 26 }),
    /requestMaxCount: 67108864 is not a whole number from 1 to 67108863/,
  );
});
