import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ewma } from '../../src/policy/ewma.ts';

const smooth = (): Ewma => new Ewma({ decayMs: 1000, peak: false });
const peak = (): Ewma => new Ewma({ decayMs: 1000, peak: true });

test('before the first answer nothing is known; the first one is the average', () => {
  const ewma = smooth();
  assert.equal(ewma.latencyMs, null);
  assert.equal(ewma.at(5000), null);
  ewma.observe(40, 5000);
  assert.equal(ewma.latencyMs, 40);
});

test('after decayMs an older average counts 1 / e, by time and not by number of answers', () => {
  const ewma = smooth();
  ewma.observe(100, 0);
  ewma.observe(0, 1000);
  assert.ok(Math.abs((ewma.latencyMs ?? 0) - 100 / Math.E) < 1e-9);
  const often = smooth();
  often.observe(100, 0);
  for (let nowMs = 10; nowMs <= 1000; nowMs += 10) often.observe(0, nowMs);
  assert.ok(Math.abs((often.latencyMs ?? 0) - 100 / Math.E) < 1e-9);
});

test('with peak one slow answer is the average at once, and is forgotten slowly', () => {
  const ewma = peak();
  ewma.observe(10, 0);
  ewma.observe(500, 1);
  assert.equal(ewma.latencyMs, 500);
  ewma.observe(10, 1001);
  assert.ok(Math.abs((ewma.latencyMs ?? 0) - (10 + 490 / Math.E)) < 1e-9);
});

test('while nothing is asked it fades towards 0, without being changed by looking', () => {
  const ewma = peak();
  ewma.observe(100, 0);
  assert.ok(Math.abs((ewma.at(1000) ?? 0) - 100 / Math.E) < 1e-9);
  assert.equal(ewma.latencyMs, 100);
  assert.equal(ewma.at(3.6e9), 0);
});

test('while the clock stands still later answers count all the same', () => {
  const ewma = smooth();
  ewma.observe(100, 7);
  for (let i = 0; i < 10_000; i += 1) ewma.observe(20, 7);
  // Each counts as 1 of 1000 ms: after ten thousand e^-10 of the first is left.
  assert.ok(Math.abs((ewma.latencyMs ?? 0) - (20 + 80 * Math.exp(-10))) < 1e-6);
});

test('the average is never outside what was seen, and the peak never below the last answer', () => {
  const answer = fc.record({ latencyMs: fc.nat(10_000), afterMs: fc.nat(5000) });
  fc.assert(
    fc.property(fc.boolean(), fc.array(answer, { minLength: 1 }), (isPeak, answers) => {
      const ewma = isPeak ? peak() : smooth();
      const seen: number[] = [];
      let nowMs = 0;
      for (const { latencyMs, afterMs } of answers) {
        nowMs += afterMs;
        seen.push(latencyMs);
        ewma.observe(latencyMs, nowMs);
        const average = ewma.latencyMs ?? -1;
        assert.ok(average >= Math.min(...seen) - 1e-9 && average <= Math.max(...seen) + 1e-9);
        if (isPeak) assert.ok(average >= latencyMs - 1e-9);
      }
    }),
  );
});

test('each failure in a row doubles what is expected, however soon it came; a success ends that, and time does by halves', () => {
  const ewma = new Ewma();
  ewma.observe(40, 0);
  ewma.fail(0);
  assert.equal(ewma.at(0), 80);
  ewma.fail(0);
  assert.equal(ewma.at(0), 160);
  assert.equal(ewma.latencyMs, 40, 'the average is that of answers');
  assert.ok(Math.abs((ewma.at(1000) ?? 0) - 2 * 40 * Math.exp(-0.1)) < 1e-9);
  for (let again = 0; again < 100; again += 1) ewma.fail(0);
  assert.equal(ewma.at(0), 40 * 1024, 'a limit from which it comes back');
  assert.ok((ewma.at(11_000) ?? 0) < 40);
  ewma.observe(40, 1);
  assert.ok(Math.abs((ewma.at(1) ?? 0) - 40) < 1e-9);
});

test('who has only ever failed is not taken for the fastest', () => {
  const ewma = new Ewma();
  for (let again = 0; again < 8; again += 1) ewma.fail(again);
  assert.ok((ewma.at(7) ?? 0) > 200);
  assert.equal(ewma.latencyMs, null);
});
