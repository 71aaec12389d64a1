import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAULTS, Failure, type FaultCode } from '../../src/core/failure.ts';
import { HeaderFields } from '../../src/core/headers.ts';
import {
  type Attempted,
  RETRY_DEFAULTS,
  type RetryOptions,
  retriedAnyway,
  retriedByRule,
  retryAfterMs,
} from '../../src/upstream/retry.ts';

const attempted = (given: Partial<Attempted> = {}): Attempted => ({
  method: 'GET',
  headers: HeaderFields.EMPTY,
  attemptCount: 1,
  replayable: true,
  anywhere: true,
  elsewhere: false,
  reachableElsewhere: false,
  ...given,
});
const options = (given: Partial<RetryOptions> = {}): RetryOptions => ({ ...RETRY_DEFAULTS, ...given });
const stale = new Failure('upstream-stale');
const refused = new Failure('upstream-refused');
const unreachable = new Failure('upstream-connect');
const keyed = HeaderFields.from({ 'idempotency-key': '1' });

test('without rules only what is idempotent is sent again after a stale connection, and once (RFC 9110 §9.2.2)', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])
    assert.equal(retriedAnyway(stale, attempted({ method })), true, method);
  for (const method of ['POST', 'PATCH', 'get', 'LOCK'])
    assert.equal(retriedAnyway(stale, attempted({ method })), false, method);
  assert.equal(retriedAnyway(stale, attempted({ attemptCount: 2 })), false);
  assert.equal(retriedAnyway(stale, attempted({ method: 'POST', headers: keyed })), true);
});

test('what cannot be sent once more is not sent again, whatever the reason', () => {
  for (const failure of [stale, refused, unreachable]) {
    const spent = attempted({ replayable: false, elsewhere: true });
    assert.equal(retriedAnyway(failure, spent), false);
    assert.equal(retriedByRule(failure, spent, options()), false);
  }
});

test('what the upstream has refused is sent again whatever its method, and once (RFC 9113 §8.7)', () => {
  for (const method of ['GET', 'POST', 'LOCK']) {
    assert.equal(retriedAnyway(refused, attempted({ method })), true, method);
    assert.equal(retriedAnyway(refused, attempted({ method, attemptCount: 2 })), false, method);
  }
});

test('what could not be delivered goes to every endpoint that it has not been to', () => {
  assert.equal(retriedAnyway(unreachable, attempted({ method: 'POST', attemptCount: 7, elsewhere: true })), true);
  assert.equal(retriedAnyway(unreachable, attempted()), false);
});

test('without rules no other failure is tried again', () => {
  const free = ['upstream-stale', 'upstream-refused', 'upstream-connect', 'upstream-connect-timeout', 'upstream-tls'];
  for (const code of Object.keys(FAULTS) as FaultCode[]) {
    const retried = retriedAnyway(new Failure(code), attempted({ elsewhere: true }));
    assert.equal(retried, free.includes(code), code);
  }
});

test('rules name what is tried again, by how it failed or what was answered', () => {
  const one = (on: RetryOptions['on']) => options({ on });
  assert.equal(retriedByRule(503, attempted(), one([503])), true);
  assert.equal(retriedByRule(502, attempted(), one([503])), false);
  assert.equal(retriedByRule(404, attempted(), options()), false);
  assert.equal(retriedByRule(new Failure('upstream-reset'), attempted(), one(['reset'])), true);
  assert.equal(retriedByRule(new Failure('upstream-reset'), attempted(), one(['connect'])), false);
  assert.equal(retriedByRule(new Failure('upstream-head-timeout'), attempted(), one(['timeout'])), true);
  assert.equal(retriedByRule(new Failure('upstream-invalid'), attempted(), options()), false);
});

test('by rule only what is idempotent, by its method or its key, is sent again; what was never taken always is', () => {
  const post = attempted({ method: 'POST' });
  assert.equal(retriedByRule(503, post, options()), false);
  assert.equal(retriedByRule(503, { ...post, headers: keyed }, options()), true);
  assert.equal(retriedByRule(new Failure('upstream-reset'), post, options()), false);
  assert.equal(retriedByRule(unreachable, post, options()), true);
  assert.equal(retriedByRule(refused, post, options()), true);
});

test('there are no more attempts than the rules allow', () => {
  assert.equal(retriedByRule(503, attempted({ attemptCount: 2 }), options({ attemptMaxCount: 3 })), true);
  assert.equal(retriedByRule(503, attempted({ attemptCount: 3 }), options({ attemptMaxCount: 3 })), false);
});

test('retry-after is seconds or a date (RFC 9110 §10.2.3)', () => {
  const asked = (value: string): number | null => retryAfterMs(HeaderFields.from({ 'retry-after': value }), 10_000);
  assert.equal(asked('3'), 3000);
  assert.equal(asked(new Date(12_000).toUTCString()), 2000);
  assert.equal(asked(new Date(1000).toUTCString()), 0);
  // The other forms of a date that a recipient has to read (RFC 9110 §5.6.7); the last is in UTC without saying so.
  assert.equal(asked('Thursday, 01-Jan-70 00:00:12 GMT'), 2000);
  assert.equal(asked('Thu Jan  1 00:00:12 1970'), 2000);
  for (const none of ['soon', 'Thu, 01 Jan 1970 00:00:12 PST', 'Thu, 01 Jan 1970', '1970-01-01T00:00:12Z'])
    assert.equal(asked(none), null, none);
  assert.equal(asked('-1'), null);
  assert.equal(retryAfterMs(HeaderFields.EMPTY, 0), null);
});
