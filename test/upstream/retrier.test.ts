import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../src/core/failure.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import { UpstreamCounts } from '../../src/upstream/counts.ts';
import { type FailedAttempt, Retrier } from '../../src/upstream/retrier.ts';
import { RETRY_DEFAULTS, type RetryOptions } from '../../src/upstream/retry.ts';
import { ManualClock } from '../support/manual-clock.ts';

const attempt = (given: Partial<FailedAttempt> = {}): FailedAttempt => ({
  method: 'GET',
  headers: HeaderFields.EMPTY,
  attemptCount: 1,
  replayable: true,
  anywhere: true,
  elsewhere: false,
  reachableElsewhere: false,
  deadlineMs: null,
  pausedMs: null,
  ...given,
});

function retrier(given: Partial<RetryOptions> | null = {}, random = 0.5): { it: Retrier; clock: ManualClock } {
  const clock = new ManualClock();
  const options = given === null ? null : { ...RETRY_DEFAULTS, ...given };
  return { it: new Retrier('test', options, clock, () => random, new UpstreamCounts()), clock };
}

const reset = new Failure('upstream-reset');
const NONE = HeaderFields.EMPTY;

test('another endpoint is asked at once; the same ones after a pause that grows, with full jitter', () => {
  const { it } = retrier({ backoffMs: 100, backoffMaxMs: 300, attemptMaxCount: 9 });
  assert.equal(it.afterFailure(reset, attempt({ elsewhere: true })), 0);
  assert.equal(it.afterFailure(reset, attempt()), 50);
  assert.equal(it.afterFailure(reset, attempt({ attemptCount: 2 })), 100);
  assert.equal(it.afterFailure(reset, attempt({ attemptCount: 3 })), 150);
  assert.equal(it.afterFailure(reset, attempt({ attemptCount: 4 })), 150);
});

test('with decorrelated jitter a pause is at least backoffMs and at most three times the last one', () => {
  const options = { backoffMs: 100, backoffMaxMs: 1000, jitter: 'decorrelated' } as const;
  for (const [random, firstMs, nextMs] of [
    [0, 100, 100],
    [0.999, 299.8, 599.5],
  ] as const) {
    const { it } = retrier(options, random);
    assert.equal(Math.round((it.afterFailure(reset, attempt()) ?? 0) * 10) / 10, firstMs);
    assert.equal(Math.round((it.afterFailure(reset, attempt({ pausedMs: 200 })) ?? 0) * 10) / 10, nextMs);
  }
});

test('retry-after is waited for where nobody else can be asked, unless it is too long', () => {
  const after = (seconds: number): HeaderFields => HeaderFields.from({ 'retry-after': `${seconds}` });
  const { it } = retrier({ retryAfterMaxMs: 2000, backoffMs: 10 });
  assert.equal(it.afterStatus(503, after(2), attempt()), 2000);
  assert.equal(it.afterStatus(503, after(3), attempt()), null);
  assert.equal(it.afterStatus(503, after(3), attempt({ elsewhere: true })), 0);
  assert.equal(it.afterStatus(503, after(0), attempt()), 5);
});

test('nothing is tried again for which no time is left', () => {
  const { it, clock } = retrier({ backoffMs: 100 });
  clock.advance(1000);
  assert.equal(it.afterFailure(reset, attempt({ deadlineMs: 1050 })), null);
  assert.equal(it.afterFailure(reset, attempt({ deadlineMs: 1051 })), 50);
});

test('every further attempt is taken from the budget, but for what costs the upstream nothing', () => {
  const { it, clock } = retrier({ budgetRatio: 0, budgetMinPerSec: 0.1 });
  const elsewhere = attempt({ elsewhere: true, reachableElsewhere: true });
  const safe = [
    'upstream-connect',
    'upstream-connect-timeout',
    'upstream-tls',
    'upstream-refused',
    'upstream-stale',
  ] as const;
  for (const code of safe) assert.equal(it.afterFailure(new Failure(code), elsewhere), 0);
  assert.equal(it.afterFailure(reset, elsewhere), 0);
  assert.equal(it.afterFailure(reset, elsewhere), null, 'the only one in ten seconds');
  assert.equal(it.afterStatus(503, NONE, elsewhere), null);
  for (const code of safe) assert.equal(it.afterFailure(new Failure(code), elsewhere), 0);
  clock.advance(11_000);
  assert.equal(it.afterFailure(reset, elsewhere), 0);
});

test('what could not be delivered needs the budget where nobody is known to be there, and never goes on for ever', () => {
  const { it } = retrier({ budgetRatio: 0, budgetMinPerSec: 0.1 });
  const connect = new Failure('upstream-connect');
  const down = attempt({ elsewhere: true });
  assert.equal(it.afterFailure(connect, down), 0);
  assert.equal(it.afterFailure(connect, down), null);
  const up = { elsewhere: true, reachableElsewhere: true };
  assert.equal(it.afterFailure(connect, attempt({ ...up, attemptCount: 2 })), 0);
  assert.equal(it.afterFailure(connect, attempt({ ...up, attemptCount: 3 })), null);
});

test('without rules there is no budget, and only what is always safe is sent again', () => {
  const { it } = retrier(null);
  assert.equal(it.afterFailure(reset, attempt({ elsewhere: true })), null);
  assert.equal(it.afterStatus(503, NONE, attempt({ elsewhere: true })), null);
  assert.equal(it.afterFailure(new Failure('upstream-connect'), attempt({ elsewhere: true, attemptCount: 7 })), 0);
});

test('504 in the rules means an attempt that took too long, too', () => {
  const late = new Failure('upstream-head-timeout');
  const elsewhere = attempt({ elsewhere: true });
  assert.equal(retrier({ on: [504] }).it.afterFailure(late, elsewhere), 0);
  assert.equal(retrier({ on: ['timeout'] }).it.afterFailure(late, elsewhere), 0);
  assert.equal(retrier({ on: ['reset', 503] }).it.afterFailure(late, elsewhere), null);
});
