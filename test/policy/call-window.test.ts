import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Breaker } from '../../src/policy/breaker.ts';
import { breaker, call, groupOf, OPTIONS } from './breaking.ts';

test('the more calls there are, the sooner a fault is seen: each time after about as many of them', () => {
  for (const [perSec, calls] of [
    // Few calls: half of the window, as there is nothing else to go by.
    [4, 20],
    [10, 50],
    // Fifty of the last hundred, and what the buckets are rounded to.
    [50, 50],
    [100, 50],
    // Half of the shortest window.
    [1000, 500],
    [10_000, 5000],
  ] as const) {
    const it = breaker({ volumeEnoughCount: 100 });
    const failed = failuresToOpen(it, perSec);
    assert.ok(failed >= calls * 0.9 && failed <= calls * 1.2 + 1, `${failed} failures at ${perSec} per second`);
  }
});

/** After a while in which all was well everything fails: how many calls does it take? */
function failuresToOpen(it: Breaker, perSec: number): number {
  const afterMs = 1000 / perSec;
  let nowMs = 0;
  for (; nowMs < 15_000; nowMs += afterMs) call(it, 'success', nowMs);
  for (let failed = 0; failed < 1e6; failed += 1, nowMs += afterMs) {
    if (it.state === 'open') return failed;
    call(it, 'failure', nowMs);
  }
  throw new Error('it never opens');
}

test('a short spell of failures opens none that has many calls: it is looked back on the shortest window at least', () => {
  const it = breaker({ windowMinMs: 1000 });
  let nowMs = 0;
  for (; nowMs < 5000; nowMs += 1) call(it, 'success', nowMs);
  for (; nowMs < 5490; nowMs += 1) call(it, 'failure', nowMs);
  assert.equal(it.state, 'closed');
  for (; nowMs < 6200; nowMs += 1) call(it, 'success', nowMs);
  // Those have left it.
  for (; nowMs < 6600; nowMs += 1) call(it, 'success', nowMs);
  for (; nowMs < 7090; nowMs += 1) call(it, 'failure', nowMs);
  assert.equal(it.state, 'closed');
  for (; nowMs < 7300; nowMs += 1) call(it, 'failure', nowMs);
  assert.equal(it.state, 'open');
});

test('slow calls and the rest of the group are looked back on just as far', () => {
  const states = [100, 1000].map((volumeEnoughCount) => {
    const options = { ...OPTIONS, volumeEnoughCount };
    const group = groupOf(options);
    const other = breaker({ ...options, failureRatio: 1 }, group);
    // A while ago the others failed; now they do not.
    call(other, 'success', 0);
    call(other, 'failure', 0, 500);
    call(other, 'success', 5000, 100);
    const failing = breaker(options, group);
    call(failing, 'success', 5000, 50);
    call(failing, 'failure', 5000, 50);
    const slow = breaker({ ...options, slowCallMs: 500, slowCallRatio: 0.5 });
    call(slow, 'success', 0, 200);
    call(slow, 'success', 5000, 99, 500);
    assert.equal(slow.state, 'closed');
    call(slow, 'success', 5000, 1, 500);
    return [failing.state, slow.state];
  });
  assert.deepEqual(states, [
    ['open', 'open'],
    ['closed', 'closed'],
  ]);
});

test('whatever the rate, an endpoint that fails everything is shut out within a bounded number of calls', () => {
  const rate = fc.integer({ min: 2, max: 3000 });
  const ratio = fc.constantFrom(0.1, 0.5, 1);
  fc.assert(
    fc.property(rate, fc.constantFrom(100, 400, 1000, 10_000), ratio, (perSec, windowMinMs, failureRatio) => {
      const it = breaker({ windowMinMs, failureRatio, volumeEnoughCount: 50 });
      // Buckets are a tenth of the shortest window, and no less than a hundredth of the longest.
      const shortestCount = (perSec * (windowMinMs * 1.1 + 100)) / 1000;
      const longestCount = (perSec * OPTIONS.windowMs) / 1000;
      const oneBucketCount = (perSec * Math.max(100, windowMinMs / 10)) / 1000;
      const judgedCount = Math.min(longestCount, Math.max(shortestCount, 50 + oneBucketCount));
      const failed = failuresToOpen(it, perSec);
      assert.ok(
        failed <= Math.max(OPTIONS.volumeMinCount, Math.ceil(failureRatio * judgedCount) + 1),
        `${failed} of ${judgedCount}`,
      );
    }),
    { numRuns: 30 },
  );
});

test('while closed it opens exactly when a list of the window says so, however far it looks back', () => {
  const observed = fc.record({
    failed: fc.boolean(),
    afterMs: fc.constantFrom(0, 50, 100, 100, 200, 900, 1000, 4000),
  });
  const options = fc.record({
    volumeMinCount: fc.integer({ min: 1, max: 8 }),
    moreCount: fc.nat(12),
    windowMinMs: fc.constantFrom(0, 200, 1000, 10_000),
  });
  fc.assert(
    fc.property(options, fc.array(observed, { minLength: 20, maxLength: 60 }), ({ moreCount, ...given }, list) => {
      const { volumeMinCount, windowMinMs } = given;
      const volumeEnoughCount = volumeMinCount + moreCount;
      const it = breaker({ ...given, volumeEnoughCount });
      const bucketCount = windowMinMs === OPTIONS.windowMs ? 10 : 100;
      const bucketMs = OPTIONS.windowMs / bucketCount;
      const shortest = windowMinMs / bucketMs + 1;
      const seen: { failed: boolean; bucket: number }[] = [];
      let nowMs = 0;
      for (const { failed, afterMs } of list) {
        nowMs += afterMs;
        call(it, failed ? 'failure' : 'success', nowMs);
        const bucket = Math.floor(nowMs / bucketMs);
        seen.push({ failed, bucket });
        const within = (backCount: number) => seen.filter((one) => one.bucket > bucket - backCount);
        let backCount = Math.min(shortest, bucketCount);
        while (backCount < bucketCount && within(backCount).length < volumeEnoughCount) backCount += 1;
        const judged = within(backCount);
        const failedCount = judged.filter((one) => one.failed).length;
        const volumeCount = within(bucketCount).length;
        const opens =
          volumeCount >= volumeMinCount &&
          (failed || volumeCount <= volumeEnoughCount) &&
          failedCount > 0 &&
          failedCount / judged.length >= 0.5;
        assert.equal(it.state, opens ? 'open' : 'closed');
        // It is never judged by fewer than say something.
        if (opens) assert.ok(judged.length >= volumeMinCount);
        if (opens) return;
      }
    }),
    { numRuns: 500 },
  );
});

test('with no more calls than are enough, the window is as long as it may be', () => {
  const observed = fc.record({ failed: fc.boolean(), afterMs: fc.constantFrom(0, 200, 1000, 4000) });
  fc.assert(
    fc.property(fc.array(observed, { maxLength: 100 }), (list) => {
      const adapting = breaker({ volumeEnoughCount: 100 });
      const fixed = breaker({ volumeEnoughCount: 1e9 });
      let nowMs = 0;
      for (const { failed, afterMs } of list) {
        nowMs += afterMs;
        for (const it of [adapting, fixed]) call(it, failed ? 'failure' : 'success', nowMs);
        assert.equal(adapting.state, fixed.state);
      }
    }),
  );
});
