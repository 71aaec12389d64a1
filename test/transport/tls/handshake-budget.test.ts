import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandshakeBudget, type HandshakeHolder } from '../../../src/transport/tls/handshake-budget.ts';

const holder = (answered = true, giveUp = () => undefined): HandshakeHolder => ({ answered, giveUp });

test('so many are in progress, and a place that is given back is free', () => {
  const budget = new HandshakeBudget(2, null, 0);
  const first = holder();
  assert.deepEqual([budget.acquire(0, first), budget.acquire(0, holder())], [null, null]);
  assert.equal(budget.acquire(0, holder()), 'handshake-budget-exceeded');
  budget.release(first);
  assert.equal(budget.acquire(0, holder()), null);
});

test('when all places are taken, the oldest one whose peer is silent for a second makes room', () => {
  const budget = new HandshakeBudget(3, null, 0);
  const gone: string[] = [];
  const named = (name: string, answered: boolean): HandshakeHolder => ({ answered, giveUp: () => gone.push(name) });
  budget.acquire(0, named('at work', false));
  budget.acquire(10, named('first', true));
  budget.acquire(20, named('second', true));
  assert.equal(budget.acquire(1009, holder()), 'handshake-budget-exceeded');
  assert.equal(budget.acquire(1010, holder()), null);
  assert.deepEqual(gone, ['first']);
  assert.equal(budget.acquire(1019, holder()), 'handshake-budget-exceeded', 'one place for one');
  assert.equal(budget.acquire(1020, holder()), null);
  assert.deepEqual(gone, ['first', 'second']);
});

test('nobody makes room for one that is over the rate', () => {
  const budget = new HandshakeBudget(1, 0.1, 0);
  budget.acquire(0, { answered: true, giveUp: () => assert.fail('it was given up') });
  assert.equal(budget.acquire(5000, holder()), 'handshake-rate-exceeded');
});

test('the rate is kept however it is asked, and a burst is a second of it', () => {
  const admitted = (stepMs: number): number => {
    const budget = new HandshakeBudget(Number.MAX_SAFE_INTEGER, 10, 0);
    let count = 0;
    for (let nowMs = 0; nowMs < 10_000; nowMs += stepMs) if (budget.acquire(nowMs, holder()) === null) count += 1;
    return count;
  };
  // Ten at once, then ten a second. Fractions of a place are not lost on who asks often.
  for (const stepMs of [1, 7, 33]) assert.ok(Math.abs(admitted(stepMs) - 110) <= 1, `${stepMs}: ${admitted(stepMs)}`);
});

test('less than one a second is a rate, too', () => {
  const budget = new HandshakeBudget(10, 0.5, 0);
  assert.equal(budget.acquire(0, holder()), null);
  assert.equal(budget.acquire(1000, holder()), 'handshake-rate-exceeded');
  assert.equal(budget.acquire(2000, holder()), null);
});

test('who is refused for the budget does not use up the rate', () => {
  const budget = new HandshakeBudget(1, 2, 0);
  const first = holder();
  budget.acquire(0, first);
  for (let time = 0; time < 5; time += 1) budget.acquire(0, holder());
  budget.release(first);
  assert.equal(budget.acquire(0, holder()), null);
});
