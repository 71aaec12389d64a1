import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tokenBucket } from '../../../src/policy/rate/bucket.ts';
import { KeyedRate } from '../../../src/policy/rate/keyed-rate.ts';
import type { RateLimit } from '../../../src/policy/rate/limit.ts';
import { slidingWindow } from '../../../src/policy/rate/sliding-window.ts';
import { singleKey } from './single-key.ts';

const random = (): number => 0.618;
const limits: readonly (() => RateLimit)[] = [
  () => tokenBucket({ requestsPerSec: 5, burstCount: 3 }),
  () => slidingWindow({ requestMaxCount: 3, windowMs: 1000 }),
];

test('each key is limited as if it were alone', () => {
  const steps = fc.array(fc.record({ gapMs: fc.nat(300), key: fc.string({ maxLength: 3 }) }), { maxLength: 200 });
  for (const limit of limits) {
    const property = fc.property(steps, (all) => {
      const keyed = new KeyedRate(limit(), random, { keyMaxCount: 10_000 });
      const alone = new Map<string, ReturnType<typeof singleKey>>();
      let nowMs = 0;
      for (const { gapMs, key } of all) {
        nowMs += gapMs;
        const model = alone.getOrInsertComputed(key, () => singleKey(limit()));
        assert.deepEqual({ ...keyed.admit(key, nowMs) }, model(nowMs));
      }
      assert.equal(keyed.evictedCount, 0);
    });
    fc.assert(property, { numRuns: 40 });
  }
});

test('keys that come and go leave nothing behind: the memory is the same, and no busy key is forgotten', () => {
  for (const limit of limits) {
    const keyed = new KeyedRate(limit(), random, { keyMaxCount: 1000 });
    const sizeBytes = keyed.sizeBytes;
    // After 10 keys and 5 s all are idle again.
    for (let key = 0; key < 100_000; key += 1)
      assert.ok(keyed.admit(`key ${key}`, Math.floor(key / 10) * 5000).admitted);
    assert.equal(keyed.evictedCount, 0);
    assert.equal(keyed.sizeBytes, sizeBytes);
  }
});

test('a key costs 24 bytes, or 40 with a sliding window', () => {
  const sizes = limits.map((limit) => new KeyedRate(limit(), random, { keyMaxCount: 8000 }).sizeBytes / 8000);
  assert.deepEqual(sizes, [24, 40]);
});

test('with as many busy keys as it is made for, fewer than one in a thousand is forgotten', () => {
  const keyed = new KeyedRate(tokenBucket({ requestsPerSec: 1, burstCount: 3 }), random, { keyMaxCount: 100_000 });
  for (let key = 0; key < 100_000; key += 1) keyed.admit(`10.0.${key >> 8}.${key & 255}`, 0);
  // 8 keys a set on average, 16 fit: the tail of Poisson's distribution beyond it holds 0.07 %.
  assert.ok(keyed.evictedCount < 100, `${keyed.evictedCount}`);
});

test('a flood of new keys does not free one that is at its limit, and refuses nobody', () => {
  for (const limit of limits) {
    const keyed = new KeyedRate(limit(), random, { keyMaxCount: 100 });
    for (let spent = 0; spent < 3; spent += 1) assert.ok(keyed.admit('greedy', 1000).admitted);
    for (let flood = 0; flood < 10_000; flood += 1) assert.ok(keyed.admit(`flood ${flood}`, 1000).admitted);
    assert.equal(keyed.admit('greedy', 1000).admitted, false);
    assert.ok(keyed.evictedCount > 9000);
  }
});

test('other numbers make another table, so that nobody knows which keys share a set', () => {
  const evicted = [0.1, 0.2, 0.3].map((seed) => {
    const keyed = new KeyedRate(tokenBucket({ requestsPerSec: 1, burstCount: 3 }), () => seed, { keyMaxCount: 800 });
    return Array.from({ length: 1600 }, (_, key) => {
      keyed.admit(`${key}`, 0);
      return keyed.evictedCount;
    }).join();
  });
  assert.equal(new Set(evicted).size, 3);
});

test('wrong options are named', () => {
  assert.throws(() => new KeyedRate(tokenBucket(), random, { keyMaxCount: 0 }), /keyMaxCount/);
  // A RangeError of the runtime would not say which option it is.
  assert.throws(() => new KeyedRate(tokenBucket(), random, { keyMaxCount: 1e11 }), {
    name: 'TypeError',
    message: 'rate limit keys: keyMaxCount: 100000000000 is not a whole number from 1 to 100000000',
  });
});
