import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAULTS, Failure } from '../../src/core/failure.ts';

test('a failure has a stable code, and its status, blame and retry class from the table', () => {
  const cause = new Error('cause');
  const failure = new Failure('upstream-stale', 'Twice.', { cause });
  assert.ok(failure instanceof Error);
  assert.deepEqual(
    [failure.name, failure.code, failure.status, failure.blame, failure.retry, failure.cause],
    ['Failure', 'upstream-stale', 502, 'upstream', 'idempotent', cause],
  );
  assert.equal(failure.message, `${FAULTS['upstream-stale'].what} Twice.`);
  assert.equal(new Failure('client-gone').message, FAULTS['client-gone'].what);
});

test('only what never reached an upstream may be sent again in any case (RFC 9110 §9.2.2)', () => {
  for (const [code, { retry, blame, what, status }] of Object.entries(FAULTS)) {
    if (retry !== 'never') assert.equal(blame, 'upstream', code);
    if (blame === 'client') assert.ok(status < 500, code);
    else assert.ok(status >= 500, code);
    assert.match(what, /^[A-Z][^\r\n]*\.$/);
  }
});
