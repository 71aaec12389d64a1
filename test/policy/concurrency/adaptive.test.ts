import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ADAPTIVE_DEFAULTS,
  type AdaptiveOptions,
  type AdaptiveState,
} from '../../../src/policy/concurrency/adaptive.ts';
import type { ConcurrencyAlgorithm } from '../../../src/policy/concurrency/algorithm.ts';
import { gradient } from '../../../src/policy/concurrency/gradient.ts';
import { ConcurrencyLimiter } from '../../../src/policy/concurrency/limiter.ts';
import { vegas } from '../../../src/policy/concurrency/vegas.ts';
import { QueueingModel } from './queueing-model.ts';

interface Case {
  readonly name: string;
  readonly make: (options?: Partial<AdaptiveOptions>) => ConcurrencyAlgorithm<AdaptiveState>;
  /** Where the limit must be when the knee is at `workerCount`. */
  readonly band: (workerCount: number) => readonly [min: number, max: number];
}

const cases: readonly Case[] = [
  // Vegas rests while α to β = 3 to 6 logarithms stand in the queue, and overshoots by one step at most.
  {
    name: 'vegas',
    make: vegas,
    band: (workerCount) => {
      const unit = Math.max(1, Math.floor(Math.log10(workerCount)));
      return [workerCount, workerCount + 7 * unit];
    },
  },
  // The gradient rests at the knee and its queue of 4. Between probes the average follows that queue by
  // 4 / knee × 2 / 601 each window, over 300 windows of 100 ms by 4 / knee at most. A tenth is for chance: the least
  // round trip of a window is that of a lull.
  {
    name: 'gradient',
    make: gradient,
    band: (workerCount) => [workerCount, 1.1 * (workerCount + 4) * Math.exp(4 / workerCount)],
  },
];

function model(algorithm: ConcurrencyAlgorithm<AdaptiveState>): [QueueingModel, ConcurrencyLimiter<AdaptiveState>] {
  const limiter = new ConcurrencyLimiter(algorithm);
  return [new QueueingModel(limiter), limiter];
}

for (const { name, make, band } of cases) {
  test(`${name}: under twice the load that can be served, the limit finds the knee and stays there`, () => {
    for (const [workerCount, serviceMs] of [
      [10, 20],
      [20, 50],
      [100, 100],
    ] as const) {
      const [queue, limiter] = model(make());
      const capacityPerSec = (workerCount * 1000) / serviceMs;
      queue.run({ workerCount, serviceMs }, capacityPerSec * 2, 40_000);
      // From the last probe to the next there are 25 s and more.
      queue.run({ workerCount, serviceMs }, capacityPerSec * 2, 20_000);
      const [min, max] = band(workerCount);
      assert.ok(
        limiter.limitCount >= min && limiter.limitCount <= max,
        `${limiter.limitCount} not in ${min} to ${max}`,
      );
      // Probes included, nearly all that could be served was.
      assert.ok(queue.admittedCount > 0.9 * capacityPerSec * 20, `${queue.admittedCount} of ${capacityPerSec * 20}`);
    }
  });

  test(`${name}: low traffic neither shrinks the limit nor raises it`, () => {
    const [queue, limiter] = model(make());
    // 4 of 20 at once; then 1; then 1 that takes ten times as long.
    queue.run({ workerCount: 20, serviceMs: 20 }, 200, 60_000);
    queue.run({ workerCount: 20, serviceMs: 20 }, 10, 60_000);
    queue.run({ workerCount: 20, serviceMs: 200 }, 5, 60_000);
    assert.equal(queue.refusedCount, 0);
    assert.equal(limiter.limitCount, ADAPTIVE_DEFAULTS.limitStartCount);
  });

  test(`${name}: a drop among few requests does not shrink the limit`, () => {
    const [queue, limiter] = model(make());
    queue.run({ workerCount: 20, serviceMs: 20, down: true }, 100, 60_000);
    assert.equal(limiter.limitCount, ADAPTIVE_DEFAULTS.limitStartCount);
  });

  test(`${name}: an outage brings the limit to its least, and after it the limit comes back`, () => {
    const [queue, limiter] = model(make());
    const service = { workerCount: 20, serviceMs: 50 };
    queue.run(service, 800, 40_000);
    queue.run({ ...service, down: true }, 800, 20_000);
    assert.equal(limiter.limitCount, ADAPTIVE_DEFAULTS.limitMinCount);
    queue.run(service, 800, 40_000);
    const [min, max] = band(20);
    assert.ok(limiter.limitCount >= min && limiter.limitCount <= max, `${limiter.limitCount} not in ${min} to ${max}`);
  });

  test(`${name}: a server that has become slower for good, or faster, is not taken for a queue`, () => {
    const [queue, limiter] = model(make());
    for (const serviceMs of [50, 150, 30]) {
      const capacityPerSec = 20_000 / serviceMs;
      queue.run({ workerCount: 20, serviceMs }, capacityPerSec * 2, 90_000);
      const [min, max] = band(20);
      const during = `${limiter.limitCount} not in ${min} to ${max} at ${serviceMs} ms`;
      assert.ok(limiter.limitCount >= min && limiter.limitCount <= max, during);
    }
  });

  test(`${name}: half of the workers gone, the limit follows; and back`, () => {
    const [queue, limiter] = model(make());
    for (const workerCount of [40, 20, 40]) {
      queue.run({ workerCount, serviceMs: 50 }, 1600, 90_000);
      const [min, max] = band(workerCount);
      assert.ok(
        limiter.limitCount >= min && limiter.limitCount <= max,
        `${limiter.limitCount} not in ${min} to ${max}`,
      );
    }
  });

  test(`${name}: after hours of nothing the limit is what it was, and works on`, () => {
    const [queue, limiter] = model(make());
    queue.run({ workerCount: 40, serviceMs: 50 }, 1600, 60_000);
    const before = limiter.limitCount;
    queue.nowMs += 5 * 3_600_000;
    queue.run({ workerCount: 40, serviceMs: 50 }, 10, 1000);
    assert.equal(limiter.limitCount, before);
    queue.run({ workerCount: 40, serviceMs: 50 }, 1600, 60_000);
    const [min, max] = band(40);
    assert.ok(limiter.limitCount >= min && limiter.limitCount <= max, `${limiter.limitCount} not in ${min} to ${max}`);
  });

  test(`${name}: whatever the samples, the limit is within its bounds, and full use without a queue raises it from the least`, () => {
    const sample = fc.record({
      rttMs: fc.oneof(fc.constant(1), fc.double({ min: 1, max: 1e7, noNaN: true })),
      inFlightMaxCount: fc.nat(2000),
      dropped: fc.boolean(),
    });
    const property = fc.property(fc.array(fc.tuple(sample, fc.nat(100_000))), (all) => {
      const algorithm = make({ limitStartCount: 10, limitMinCount: 2, limitMaxCount: 200 });
      let state = algorithm.start;
      let nowMs = 0;
      for (const [seen, gapMs] of all) {
        nowMs += gapMs;
        state = algorithm.next(state, seen, nowMs);
        assert.ok(state.limit >= 2 && state.limit <= 200);
      }
      // However it was treated: a server that is always fast is used to the full again.
      for (let window = 0; window < 2000; window += 1) {
        nowMs += 100;
        state = algorithm.next(state, { rttMs: 10, inFlightMaxCount: Math.floor(state.limit), dropped: false }, nowMs);
      }
      assert.equal(state.limit, 200);
    });
    fc.assert(property, { numRuns: 50 });
  });
}

test('limits out of order are refused', () => {
  assert.throws(() => vegas({ limitMinCount: 30 }), /limitMinCount ≤ limitStartCount/);
  assert.throws(() => gradient({ smoothingRatio: 2 }), /smoothingRatio/);
});
