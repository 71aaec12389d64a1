import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WindowCounts } from '../../src/policy/window.ts';

const BUCKET_MS = 100;
const BUCKET_COUNT = 5;

test('what is read is what a list of all events says of the last buckets, each kind apart', () => {
  const afterMs = fc.oneof({ weight: 20, arbitrary: fc.nat(150) }, fc.constantFrom(0, 300, 499, 500, 3.6e6));
  const event = fc.record({ kind: fc.nat(1), afterMs });
  fc.assert(
    fc.property(fc.array(event, { minLength: 20, maxLength: 60 }), (events) => {
      const window = new WindowCounts(BUCKET_MS, BUCKET_COUNT, 2);
      const seen: { kind: number; bucket: number }[] = [];
      let nowMs = 12_345;
      for (const { kind, afterMs } of events) {
        nowMs += afterMs;
        window.add(kind, nowMs);
        const bucket = Math.floor(nowMs / BUCKET_MS);
        seen.push({ kind, bucket });
        for (const wanted of [0, 1]) {
          const fresh = seen.filter((one) => one.kind === wanted && one.bucket > bucket - BUCKET_COUNT);
          assert.equal(window.sum(wanted, nowMs), fresh.length);
          const within = (backCount: number): number => fresh.filter((one) => one.bucket > bucket - backCount).length;
          for (let backCount = 1; backCount <= BUCKET_COUNT + 1; backCount += 1) {
            assert.equal(window.sum(wanted, nowMs, backCount), within(backCount));
          }
          for (const count of [1, 3, 8]) {
            const all = Array.from({ length: BUCKET_COUNT }, (_, index) => index + 1);
            const enough = all.find((backCount) => within(backCount) >= count) ?? BUCKET_COUNT;
            assert.equal(window.backCountOf(wanted, count, nowMs), enough);
          }
        }
      }
    }),
  );
});

test('after hours nothing is left, and a clock that goes back stands still', () => {
  const window = new WindowCounts(BUCKET_MS, BUCKET_COUNT, 1);
  window.add(0, 10_000, 7);
  assert.equal(window.sum(0, 3.6e7), 0);
  window.add(0, 5);
  assert.equal(window.sum(0, 0), 1);
  window.clear();
  assert.equal(window.sum(0, 3.6e7), 0);
});
