import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandshakeBudget } from '../../../src/transport/tls/handshake-budget.ts';

test('so many are in progress, and a place that is given back is free', () => {
  const budget = new HandshakeBudget(2, null, 0);
  assert.deepEqual([budget.acquire(0), budget.acquire(0)], [null, null]);
  assert.equal(budget.acquire(0), 'handshake-budget-exceeded');
  budget.release();
  assert.equal(budget.acquire(0), null);
});

test('the rate is kept however it is asked, and a burst is a second of it', () => {
  const admitted = (stepMs: number): number => {
    const budget = new HandshakeBudget(Number.MAX_SAFE_INTEGER, 10, 0);
    let count = 0;
    for (let nowMs = 0; nowMs < 10_000; nowMs += stepMs) if (budget.acquire(nowMs) === null) count += 1;
    return count;
  };
  // Ten at once, then ten a second. Fractions of a place are not lost on who asks often.
  for (const stepMs of [1, 7, 33]) assert.ok(Math.abs(admitted(stepMs) - 110) <= 1, `${stepMs}: ${admitted(stepMs)}`);
});

test('less than one a second is a rate, too', () => {
  const budget = new HandshakeBudget(10, 0.5, 0);
  assert.equal(budget.acquire(0), null);
  assert.equal(budget.acquire(1000), 'handshake-rate-exceeded');
  assert.equal(budget.acquire(2000), null);
});

test('who is refused for the budget does not use up the rate', () => {
  const budget = new HandshakeBudget(1, 2, 0);
  budget.acquire(0);
  for (let time = 0; time < 5; time += 1) budget.acquire(0);
  budget.release();
  assert.equal(budget.acquire(0), null);
});
