import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RETRY_BUDGET_DEFAULTS, RetryBudget } from '../../src/policy/retry-budget.ts';

/** How many of so many withdrawals are granted. */
const withdrawn = (budget: RetryBudget, nowMs: number, count: number): number =>
  Array.from({ length: count }, () => budget.withdraw(nowMs)).filter(Boolean).length;

function deposited(budget: RetryBudget, nowMs: number, count: number): RetryBudget {
  for (let i = 0; i < count; i += 1) budget.deposit(nowMs);
  return budget;
}

test('a fifth of the requests may be sent again, and no part of one', () => {
  const budget = new RetryBudget({ budgetRatio: 0.2, floorPerSec: null, windowMs: 10_000 });
  assert.equal(budget.withdraw(0), false);
  assert.equal(withdrawn(deposited(budget, 0, 4), 0, 9), 0);
  assert.equal(withdrawn(deposited(budget, 0, 1), 0, 9), 1);
  assert.equal(withdrawn(deposited(budget, 0, 100), 100, 99), 20);
});

test('the floor allows its retries for each second of the window without any requests', () => {
  const budget = new RetryBudget({ budgetRatio: 0, floorPerSec: 2, windowMs: 10_000 });
  assert.equal(budget.balance(0), 20);
  assert.equal(withdrawn(budget, 0, 99), 20);
  assert.equal(withdrawn(budget, 9999, 99), 0);
  assert.equal(withdrawn(budget, 10_500, 99), 20);
});

test('who may have a part only is given it as long as no more than that part was taken', () => {
  const budget = new RetryBudget({ budgetRatio: 0.2, floorPerSec: null, windowMs: 1000 });
  for (let count = 0; count < 40; count += 1) budget.deposit(0);
  assert.equal(budget.balance(0, 0.5), 4);
  const takes = (partRatio: number): number => {
    let count = 0;
    while (budget.withdraw(0, partRatio)) count += 1;
    return count;
  };
  assert.deepEqual([takes(0.5), takes(1), takes(0.5)], [4, 4, 0]);
});

test('requests and retries are forgotten after the window; after hours the budget is as new', () => {
  const budget = deposited(new RetryBudget({ ...RETRY_BUDGET_DEFAULTS, floorPerSec: null }), 0, 1000);
  assert.equal(withdrawn(budget, 0, 50), 50);
  assert.equal(budget.balance(9499), 150);
  assert.equal(budget.balance(10_000), -50);
  assert.equal(budget.balance(3.6e7), 0);
});

const event = fc.record({
  kind: fc.constantFrom('request', 'retry', 'retry'),
  count: fc.nat(30),
  afterMs: fc.oneof(fc.nat(40), fc.nat(700), fc.constant(0)),
});

test('no window and no other span has more retries than the budget says', () => {
  const ratio = fc.constantFrom(0, 0.1, 0.2, 0.5, 1);
  const floor = fc.constantFrom(null, 1, 10);
  fc.assert(
    fc.property(ratio, floor, fc.array(event, { maxLength: 60 }), (budgetRatio, floorPerSec, events) => {
      const windowMs = 1000;
      const budget = new RetryBudget({ budgetRatio, floorPerSec, windowMs });
      const requests: number[] = [];
      const retries: number[] = [];
      let nowMs = 0;
      for (const { kind, count, afterMs } of events) {
        nowMs += afterMs;
        for (let i = 0; i < count; i += 1) {
          if (kind === 'request') {
            budget.deposit(nowMs);
            requests.push(nowMs);
          } else if (budget.withdraw(nowMs)) retries.push(nowMs);
        }
      }
      const within = (times: readonly number[], fromMs: number, untilMs: number): number =>
        times.filter((ms) => ms > fromMs && ms <= untilMs).length;
      const reserve = ((floorPerSec ?? 0) * windowMs) / 1000;
      for (const untilMs of new Set(retries)) {
        const allowed = budgetRatio * within(requests, untilMs - windowMs, untilMs) + reserve;
        assert.ok(within(retries, untilMs - windowMs, untilMs) <= allowed + 1e-9);
        for (const fromMs of [untilMs - 1, untilMs - 300, untilMs - 2500, -1]) {
          const windowCount = Math.ceil((untilMs - fromMs) / windowMs);
          const spanAllowed = budgetRatio * within(requests, fromMs - windowMs, untilMs) + reserve * windowCount;
          assert.ok(within(retries, fromMs, untilMs) <= spanAllowed + 1e-9);
        }
      }
    }),
  );
});

test('with steady traffic almost all of the ratio is given', () => {
  const budget = new RetryBudget({ budgetRatio: 0.2, floorPerSec: null, windowMs: 1000 });
  let retryCount = 0;
  for (let nowMs = 0; nowMs < 10_000; nowMs += 1) {
    budget.deposit(nowMs);
    if (budget.withdraw(nowMs)) retryCount += 1;
  }
  // Requests are counted for at least 19, retries for at most 21 of the 20 buckets.
  assert.ok(retryCount <= 2000 && retryCount >= (2000 * 19) / 21 - 20, `${retryCount}`);
});
