import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConcurrencySample, fixedLimit } from '../../../src/policy/concurrency/algorithm.ts';
import { ConcurrencyLimiter } from '../../../src/policy/concurrency/limiter.ts';
import type { SampleWindowOptions } from '../../../src/policy/concurrency/sample-window.ts';

/** A limiter whose algorithm keeps the samples. */
function recording(
  options: Partial<SampleWindowOptions>,
): [ConcurrencyLimiter<{ limit: number }>, ConcurrencySample[]] {
  const samples: ConcurrencySample[] = [];
  const limiter = new ConcurrencyLimiter(
    {
      start: { limit: 100 },
      next(state, sample) {
        samples.push(sample);
        return state;
      },
    },
    options,
  );
  return [limiter, samples];
}

test('a fixed limit admits so many at once', () => {
  const limiter = new ConcurrencyLimiter(fixedLimit(2));
  assert.deepEqual([limiter.acquire(), limiter.acquire(), limiter.acquire()], [true, true, false]);
  limiter.release(5, 'success', 5);
  assert.deepEqual([limiter.acquire(), limiter.acquire()], [true, false]);
  assert.equal(limiter.limitCount, 2);
});

test('a window ends when it is long enough and has enough requests, and tells the least round trip', () => {
  const [limiter, samples] = recording({ windowMs: 100, sampleMinCount: 3 });
  for (let request = 0; request < 5; request += 1) limiter.acquire();
  limiter.release(30, 'success', 30);
  limiter.release(40, 'success', 40);
  limiter.release(120, 'success', 120);
  assert.deepEqual(samples, [{ rttMs: 30, inFlightMaxCount: 5, dropped: false }]);
  // The next one begins at 120, with the two that still run.
  limiter.release(125, 'dropped', 125);
  limiter.release(300, 'success', 300);
  assert.equal(samples.length, 1);
  limiter.acquire();
  limiter.release(10, 'success', 310);
  assert.deepEqual(samples[1], { rttMs: 10, inFlightMaxCount: 2, dropped: true });
});

test('what is ignored frees its place and is not a sample', () => {
  const [limiter, samples] = recording({ windowMs: 0, sampleMinCount: 1 });
  limiter.acquire();
  limiter.release(1000, 'ignored', 1000);
  assert.equal(limiter.inFlightCount, 0);
  assert.deepEqual(samples, []);
});

test('a percentile is that of the requests of its window', () => {
  const [limiter, samples] = recording({ windowMs: 0, sampleMinCount: 4, percentileRatio: 0.5 });
  for (const rttMs of [50, 10, 90, 30]) {
    limiter.acquire();
    limiter.release(rttMs, 'success', 100);
  }
  assert.equal(samples[0]?.rttMs, 50);
});

test('a window of thousands of requests is sampled from its last 256', () => {
  const [limiter, samples] = recording({ windowMs: 100, sampleMinCount: 1 });
  for (let request = 0; request < 3000; request += 1) {
    limiter.acquire();
    limiter.release(request < 2000 ? 5 : 40, 'success', 40);
  }
  limiter.acquire();
  limiter.release(90, 'success', 140);
  assert.equal(samples[0]?.rttMs, 40);
});

test('after a long idle time the requests before it are forgotten', () => {
  const [limiter, samples] = recording({ windowMs: 100, sampleMinCount: 2 });
  limiter.acquire();
  limiter.release(5, 'success', 5);
  for (const endMs of [60_000, 60_200]) {
    limiter.acquire();
    limiter.release(50, 'success', endMs);
  }
  assert.deepEqual(samples, [{ rttMs: 50, inFlightMaxCount: 1, dropped: false }]);
});

test('a clock that stands still makes no sample, and no round trip is shorter than a millisecond', () => {
  const [limiter, samples] = recording({ windowMs: 100, sampleMinCount: 1 });
  for (let request = 0; request < 1000; request += 1) {
    limiter.acquire();
    limiter.release(0, 'success', 7);
  }
  assert.equal(samples.length, 0);
  limiter.acquire();
  limiter.release(0, 'success', 107);
  assert.equal(samples[0]?.rttMs, 1);
});

test('wrong options are named', () => {
  assert.throws(() => new ConcurrencyLimiter(fixedLimit(1), { sampleMinCount: 1000 }), /sampleMinCount/);
  assert.throws(() => new ConcurrencyLimiter(fixedLimit(1), { windowMs: -1 }), /windowMs/);
});
