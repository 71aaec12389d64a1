import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdaptiveState } from '../../../src/policy/concurrency/adaptive.ts';
import type { ConcurrencySample } from '../../../src/policy/concurrency/algorithm.ts';
import { gradient } from '../../../src/policy/concurrency/gradient.ts';
import { vegas } from '../../../src/policy/concurrency/vegas.ts';

const steady: AdaptiveState = {
  limit: 100,
  phase: 'steady',
  heldLimit: 100,
  baselineMs: 50,
  measuredAtMs: 0,
  drainingCount: 0,
};
const full: ConcurrencySample = { rttMs: 50, inFlightMaxCount: 100, dropped: false };

test('vegas goes up by β = 12 without a queue, by 2 below α = 6, rests to β, and goes down by 2 above (limit 100)', () => {
  const limitAt = (queueCount: number): number =>
    // A queue of q among 100 makes the round trip 50 / (1 − q / 100); a little less, for it is rounded up.
    vegas().next(steady, { ...full, rttMs: 50 / (1 - (queueCount - 0.01) / 100) }, 1000).limit;
  assert.deepEqual([0, 2, 3, 5, 6, 12, 13, 90].map(limitAt), [112, 112, 102, 102, 100, 100, 98, 98]);
});

test('vegas takes a shorter round trip as its baseline at once', () => {
  assert.equal(vegas().next(steady, { ...full, rttMs: 20 }, 1000).baselineMs, 20);
});

test('the gradient follows long over short, at most by half, and a queue of 4, by a fifth', () => {
  const next = (rttMs: number): AdaptiveState =>
    gradient({ longWindowCount: 3 }).next(steady, { ...full, rttMs }, 1000);
  // Nothing is slower: 100 + 4, a fifth of the way.
  assert.ok(Math.abs(next(50).limit - 100.8) < 1e-9);
  // Three windows weigh 2 / 4 each: the average of 50 and 100 is 75, the ratio 75 / 100.
  assert.equal(next(100).baselineMs, 75);
  assert.ok(Math.abs(next(100).limit - (100 + (75 + 4 - 100) / 5)) < 1e-9);
  assert.ok(Math.abs(gradient().next(steady, { ...full, rttMs: 1e6 }, 1000).limit - (100 + (50 + 4 - 100) / 5)) < 0.1);
  // An average of 30 is three times 10: a tenth off.
  assert.equal(next(10).baselineMs, 27);
});

for (const make of [vegas, gradient]) {
  const { name } = make;

  test(`${name}: a drop at the limit costs a tenth of it, one at low load nothing`, () => {
    const dropped = { ...full, rttMs: 500, dropped: true };
    assert.equal(make().next(steady, dropped, 1000).limit, 90);
    assert.deepEqual(make().next(steady, { ...dropped, inFlightMaxCount: 10 }, 1000), steady);
  });

  test(`${name}: at low load a shorter round trip is the baseline, a longer one is followed by a tenth`, () => {
    const low = { ...full, inFlightMaxCount: 10 };
    const shorter = make().next(steady, { ...low, rttMs: 30 }, 1000);
    assert.deepEqual([shorter.baselineMs, shorter.measuredAtMs, shorter.limit], [30, 1000, 100]);
    const longer = make().next(steady, { ...low, rttMs: 150 }, 1000);
    assert.deepEqual([longer.baselineMs, longer.measuredAtMs, longer.limit], [60, 1000, 100]);
  });

  test(`${name}: a probe drains, measures one window, and gives the limit back`, () => {
    const algorithm = make();
    const begun = algorithm.next(steady, { ...full, rttMs: 55 }, 30_000);
    assert.equal(begun.phase, 'draining');
    // Half of the limit less 6 logarithms.
    assert.equal(begun.limit, Math.floor(begun.heldLimit / 2 - 6 * Math.floor(Math.log10(begun.heldLimit))));
    const draining = algorithm.next(begun, { ...full, rttMs: 55 }, 30_100);
    assert.equal(draining.phase, 'draining');
    const measuring = algorithm.next(draining, { ...full, inFlightMaxCount: begun.limit }, 30_200);
    assert.equal(measuring.phase, 'measuring');
    const sample = { rttMs: 70, inFlightMaxCount: begun.limit, dropped: false };
    const done = algorithm.next(measuring, sample, 30_300);
    assert.deepEqual([done.phase, done.limit, done.baselineMs], ['steady', begun.heldLimit, 70]);
    const dropped = algorithm.next(measuring, { ...sample, dropped: true }, 30_300);
    assert.deepEqual([dropped.limit, dropped.baselineMs], [begun.heldLimit * 0.9, measuring.baselineMs]);
    // The next one is an interval later.
    assert.equal(algorithm.next(done, { ...full, rttMs: 75 }, 60_299).phase, 'steady');
    assert.equal(algorithm.next(done, { ...full, rttMs: 75 }, 60_300).phase, 'draining');
  });

  test(`${name}: requests that never end do not hold a probe up for more than 8 windows`, () => {
    const algorithm = make();
    let state = algorithm.next(steady, full, 30_000);
    let windowCount = 0;
    for (; state.phase === 'draining'; windowCount += 1)
      state = algorithm.next(state, full, 30_000 + windowCount * 100);
    assert.equal(windowCount, 8);
  });
}
