import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RATE_ALGORITHM_DEFAULTS, RATE_ALGORITHMS } from '../../../src/policy/rate/algorithms.ts';
import { tokenBucket } from '../../../src/policy/rate/bucket.ts';
import {
  rateLimitField,
  rateLimitLabel,
  rateLimitPolicyField,
  retryAfterField,
} from '../../../src/policy/rate/fields.ts';
import { slidingWindow } from '../../../src/policy/rate/sliding-window.ts';
import { singleKey } from './single-key.ts';

test('a policy is its name, quota and window in seconds, rounded up (draft-ietf-httpapi-ratelimit-headers-11 §3)', () => {
  assert.equal(
    rateLimitPolicyField(rateLimitLabel('default'), slidingWindow({ requestMaxCount: 100, windowMs: 10_000 })),
    '"default";q=100;w=10',
  );
  assert.equal(rateLimitPolicyField('"api"', tokenBucket({ requestsPerSec: 100, burstCount: 150 })), '"api";q=150;w=2');
  assert.equal(rateLimitLabel('a "b" \\'), '"a \\"b\\" \\\\"');
  assert.throws(() => rateLimitLabel('größer'), /printable ASCII/);
  assert.match(
    rateLimitPolicyField('"x"', tokenBucket({ requestsPerSec: 1e-30, burstCount: 1 })),
    /w=999999999999999$/,
  );
});

test('the service limit is what is left, and for how long (§4)', () => {
  const admit = singleKey(tokenBucket({ requestsPerSec: 0.5, burstCount: 2 }));
  assert.equal(rateLimitField('"api"', admit(0)), '"api";r=1;t=2');
  assert.equal(rateLimitField('"api"', admit(0)), '"api";r=0;t=4');
  const whole = { admitted: true, waitMs: 0, retryAfterMs: 0, remainingCount: 2, resetMs: 0 };
  assert.equal(rateLimitField('"api"', whole), '"api";r=2');
});

test('retry-after is never earlier than the window that the same answer shows (§6)', () => {
  const admit = singleKey(tokenBucket({ requestsPerSec: 0.5, burstCount: 2 }));
  admit(0, 2);
  const refused = admit(500);
  assert.equal(rateLimitField('"api"', refused), '"api";r=0;t=2');
  assert.equal(retryAfterField(refused.retryAfterMs), '2');
});

test('retry-after is in whole seconds, rounded up, and left out when waiting does not help (RFC 9110 §10.2.3)', () => {
  assert.deepEqual([0, 1, 1000, 1001, 59_999.5, Number.POSITIVE_INFINITY].map(retryAfterField), [
    '1',
    '1',
    '1',
    '2',
    '60',
    null,
  ]);
});

test('every algorithm has a name, and works without options', () => {
  for (const { make } of Object.values(RATE_ALGORITHMS))
    assert.equal(singleKey(make(RATE_ALGORITHM_DEFAULTS))(0).admitted, true);
});
