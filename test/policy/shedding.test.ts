import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LoopPressure, SHED_CLASSES, shed, stableChance } from '../../src/policy/shedding.ts';

const ratio = fc.double({ min: 0, max: 1, noNaN: true });
const chances = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('the low class goes first and whole, then the normal, then the high', () => {
  const shares = (pressureRatio: number): number[] =>
    SHED_CLASSES.map(
      (each) => Array.from({ length: 100 }, (_, at) => shed(pressureRatio, each, at / 100)).filter(Boolean).length,
    );
  assert.deepEqual(shares(0), [0, 0, 0]);
  assert.deepEqual(shares(0.25 / 3), [25, 0, 0]);
  assert.deepEqual(shares(1 / 3), [100, 0, 0]);
  assert.deepEqual(shares(0.5), [100, 50, 0]);
  assert.deepEqual(shares(1), [100, 100, 100]);
});

test('what is in no class is never shed', () => {
  assert.equal(shed(1, null, 0), false);
});

test('more pressure never spares whom less has shed, nor a lower class whom a higher has lost', () => {
  const property = fc.property(ratio, ratio, chances, (a, b, chance) => {
    const [less, more] = a < b ? [a, b] : [b, a];
    for (const each of SHED_CLASSES) if (shed(less, each, chance)) assert.ok(shed(more, each, chance));
    if (shed(a, 'normal', chance)) assert.ok(shed(a, 'low', chance));
    if (shed(a, 'high', chance)) assert.ok(shed(a, 'normal', chance));
  });
  fc.assert(property);
});

test('a stable chance is the same for the same text, and even over texts', () => {
  assert.equal(stableChance('10.0.0.1', 1, 2), stableChance('10.0.0.1', 1, 2));
  assert.notEqual(stableChance('10.0.0.1', 1, 2), stableChance('10.0.0.1', 1, 3));
  const shedCount = Array.from({ length: 10_000 }, (_, client) => stableChance(`client ${client}`, 1, 2)).filter(
    (at) => at < 0.3,
  ).length;
  // Five standard deviations of 10 000 throws at 0.3: 229.
  assert.ok(Math.abs(shedCount - 3000) < 229, `${shedCount}`);
});

test('pressure rises with the delay between its least and its most', () => {
  for (const [delayMs, expected] of [
    [0, 0],
    [50, 0],
    [275, 0.5],
    [500, 1],
    [60_000, 1],
  ] as const) {
    const pressure = new LoopPressure();
    pressure.observe(delayMs, 0);
    assert.equal(pressure.ratio, expected);
  }
});

test('one long pause among short ones is smoothed; a lasting one is followed', () => {
  const pressure = new LoopPressure({ smoothingMs: 1000 });
  for (let nowMs = 0; nowMs < 1000; nowMs += 10) pressure.observe(1, nowMs);
  // 10 ms of 1000 weigh 1 %: 3 ms more.
  pressure.observe(300, 1000);
  assert.equal(pressure.ratio, 0);
  for (let nowMs = 1000; nowMs <= 11_000; nowMs += 300) pressure.observe(300, nowMs);
  // After ten times the smoothing e⁻¹⁰ of the difference is left.
  assert.ok(Math.abs(pressure.ratio - 250 / 450) < 1e-3);
});

test('a delay that flutters by less than the hysteresis does not move the pressure down', () => {
  const pressure = new LoopPressure({ delayMinMs: 100, delayMaxMs: 200, smoothingMs: 0, hysteresisRatio: 0.2 });
  const ratios = [150, 140, 131, 149, 120, 130, 110, 90, 79].map((delayMs, index) => {
    pressure.observe(delayMs, index + 1);
    return Math.round(pressure.ratio * 100) / 100;
  });
  assert.deepEqual(ratios, [0.5, 0.5, 0.5, 0.5, 0.4, 0.4, 0.2, 0, 0]);
});

test('pressure is from 0 to 1 whatever is observed, and goes when the delay goes', () => {
  const sample = fc.record({ delayMs: fc.double({ min: -10, max: 1e9, noNaN: true }), gapMs: fc.nat(10_000_000) });
  const options = fc.record({
    delayMinMs: fc.integer({ min: 0, max: 50 }),
    delayMaxMs: fc.integer({ min: 51, max: 10_000 }),
    hysteresisRatio: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  const property = fc.property(fc.array(sample), options, (samples, given) => {
    const pressure = new LoopPressure(given);
    let nowMs = 0;
    for (const { delayMs, gapMs } of samples) {
      nowMs += gapMs;
      pressure.observe(delayMs, nowMs);
      assert.ok(pressure.ratio >= 0 && pressure.ratio <= 1);
    }
    for (let second = 0; second < 50; second += 1) {
      nowMs += 1000;
      pressure.observe(0, nowMs);
    }
    assert.ok(pressure.ratio < 1e-9);
  });
  fc.assert(property);
});

test('a clock that stands still weighs nothing', () => {
  for (const smoothingMs of [500, 0]) {
    const pressure = new LoopPressure({ smoothingMs });
    pressure.observe(0, 5);
    for (let again = 0; again < 100; again += 1) pressure.observe(10_000, 5);
    assert.equal(pressure.ratio, 0);
  }
});

test('a delay below nothing, from a clock of another grain, is none', () => {
  const pressure = new LoopPressure({ smoothingMs: 100 });
  pressure.observe(-1e6, 0);
  pressure.observe(500, 100);
  // e⁻¹ of 0 is left: 500 × (1 − 1 / e) = 316, of the range from 50 to 500.
  assert.ok(Math.abs(pressure.ratio - (500 * (1 - Math.exp(-1)) - 50) / 450) < 1e-9);
});

test('wrong options are named', () => {
  assert.throws(() => new LoopPressure({ hysteresisRatio: 2 }), /hysteresisRatio/);
  assert.throws(() => new LoopPressure({ delayMinMs: 500 }), /delayMinMs: 500 is not less than delayMaxMs, 500/);
});
