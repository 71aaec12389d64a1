import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RateFloor, WriteStall } from '../../src/core/deadlines.ts';

test('a peer that sends nothing is too slow after three seconds', () => {
  const rate = new RateFloor(100, 5000);
  assert.equal(rate.tooSlow(7999), false);
  assert.equal(rate.tooSlow(8001), true);
});

test('a peer at the floor is never too slow, however its bytes are spread over each second', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 60 }), (quarters) => {
      const rate = new RateFloor(100, 0);
      quarters.forEach((quarter, second) => {
        for (let step = 0; step < 4; step += 1) {
          if (step === quarter) rate.observe(100);
          assert.equal(rate.tooSlow(second * 1000 + step * 250), false);
        }
      });
    }),
  );
});

test('a peer below the floor is too slow in the end, however it begins', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000_000 }), fc.integer({ min: 0, max: 90 }), (head, bytesPerSec) => {
      const rate = new RateFloor(100, 0);
      rate.observe(head);
      let slow = false;
      for (let second = 1; second < 120 && !slow; second += 1) {
        rate.observe(bytesPerSec);
        slow = rate.tooSlow(second * 1000);
      }
      assert.ok(slow);
    }),
  );
});

test('a pause of ours costs the peer nothing', () => {
  const rate = new RateFloor(100, 0);
  assert.equal(rate.tooSlow(2900), false);
  rate.skipTo(60_000);
  assert.equal(rate.tooSlow(60_050), false);
  assert.equal(rate.tooSlow(60_200), true);
});

test('a write stalls when not one byte was taken for the whole time', () => {
  const stall = new WriteStall();
  const stalled = (bytes: number, nowMs: number): boolean =>
    stall.stalled({ socket: { writableLength: bytes }, unsentBytes: () => bytes }, nowMs, 30_000);
  assert.equal(stalled(1000, 0), false);
  assert.equal(stalled(1000, 29_999), false);
  assert.equal(stalled(999, 29_999), false);
  assert.equal(stalled(999, 59_998), false);
  assert.equal(stalled(999, 59_999), true);
  assert.equal(stalled(0, 99_999), false);
});
