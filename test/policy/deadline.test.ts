import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  attemptMs,
  deadlineAt,
  formatTimeout,
  hasTimeFor,
  parseTimeout,
  remainingMs,
  type TimeoutFormat,
} from '../../src/policy/deadline.ts';

test('an attempt has its own time, and never more than what is left of the whole', () => {
  const deadlineMs = deadlineAt(1000, 500);
  assert.equal(remainingMs(deadlineMs, 1100), 400);
  assert.equal(attemptMs(deadlineMs, 300, 1100), 300);
  assert.equal(attemptMs(deadlineMs, 300, 1300), 200);
  assert.equal(attemptMs(deadlineMs, null, 1300), 200);
});

test('a deadline that is past, also by hours, leaves 0; none leaves all time', () => {
  assert.equal(remainingMs(deadlineAt(0, 5), 3.6e7), 0);
  assert.equal(attemptMs(deadlineAt(0, 5), 300, 5), 0);
  assert.equal(deadlineAt(0, null), Number.POSITIVE_INFINITY);
  assert.equal(attemptMs(deadlineAt(0, null), 300, 3.6e7), 300);
  assert.equal(attemptMs(deadlineAt(0, null), null, 3.6e7), Number.POSITIVE_INFINITY);
});

test('there is time for another attempt when the wait and what it needs fit in', () => {
  const deadlineMs = deadlineAt(0, 100);
  assert.ok(hasTimeFor(deadlineMs, 60, 40, 0));
  assert.equal(hasTimeFor(deadlineMs, 61, 40, 0), false);
  assert.equal(hasTimeFor(deadlineMs, 100, 0, 0), false);
  assert.ok(hasTimeFor(deadlineMs, 20, 10, 70));
  assert.equal(hasTimeFor(deadlineMs, 20, 11, 70), false);
  assert.ok(hasTimeFor(deadlineAt(0, null), 1e9, 1e9, 1e9));
});

test('grpc-timeout: up to eight digits and a unit; plain: whole milliseconds; all else is none', () => {
  for (const [value, ms] of [
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3000],
    ['40m', 40],
    ['500u', 0.5],
    ['99999999m', 99_999_999],
    ['0m', 0],
    ['100000000m', null],
    ['5', null],
    ['5s', null],
    ['-5S', null],
    ['1.5S', null],
    ['', null],
    ['m', null],
    [' 5m', null],
  ] as const) {
    assert.equal(parseTimeout(value, 'grpc'), ms, value);
  }
  assert.ok(Math.abs((parseTimeout('1000000n', 'grpc') ?? 0) - 1) < 1e-12);
  for (const [value, ms] of [
    ['0', 0],
    ['1500', 1500],
    ['1500.5', null],
    ['+1', null],
    ['1e3', null],
    ['', null],
    ['9999999999999999', null],
  ] as const) {
    assert.equal(parseTimeout(value, 'ms'), ms, value);
  }
});

test('what is written is the finest unit from milliseconds up, rounded down; without a deadline nothing', () => {
  assert.equal(formatTimeout(1500.9, 'ms'), '1500');
  assert.equal(formatTimeout(1500.9, 'grpc'), '1500m');
  assert.equal(formatTimeout(-3, 'ms'), '0');
  assert.equal(formatTimeout(99_999_999, 'grpc'), '99999999m');
  assert.equal(formatTimeout(100_000_000, 'grpc'), '100000S');
  assert.equal(formatTimeout(1e15, 'grpc'), '99999999H');
  assert.equal(formatTimeout(Number.POSITIVE_INFINITY, 'grpc'), null);
});

test('what is read back is never more than what was left, and less by a unit at most', () => {
  const left = fc.double({ min: 0, max: 3e14, noNaN: true });
  fc.assert(
    fc.property(left, fc.constantFrom<TimeoutFormat>('ms', 'grpc'), (leftMs, format) => {
      const readMs = parseTimeout(formatTimeout(leftMs, format) ?? '', format);
      assert.ok(readMs !== null && readMs <= leftMs);
      const unitMs = format === 'ms' || leftMs < 1e8 ? 1 : leftMs < 1e11 ? 1000 : leftMs < 6e12 ? 60_000 : 3_600_000;
      assert.ok(leftMs - readMs < unitMs);
    }),
  );
});
