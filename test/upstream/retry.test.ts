import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAULTS, Failure, type FaultCode } from '../../src/core/failure.ts';
import { mayRetry } from '../../src/upstream/retry.ts';
import { arrivingBody } from '../support/request.ts';

const stale = new Failure('upstream-stale');
const refused = new Failure('upstream-refused');

test('only what is idempotent is sent again after a stale connection, and once (RFC 9110 §9.2.2)', () => {
  const retried = (method: string, retryCount = 0): boolean => mayRetry(stale, { method, body: null, retryCount });
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])
    assert.equal(retried(method), true, method);
  for (const method of ['POST', 'PATCH', 'get', 'LOCK']) assert.equal(retried(method), false, method);
  assert.equal(retried('GET', 1), false);
});

test('a body that has been read from the client cannot be sent again', () => {
  const body = arrivingBody();
  assert.equal(mayRetry(stale, { method: 'PUT', body, retryCount: 0 }), true);
  body.consume({ write: () => true, end() {}, fail() {} });
  assert.equal(mayRetry(stale, { method: 'PUT', body, retryCount: 0 }), false);
  assert.equal(mayRetry(stale, { method: 'PUT', body: Buffer.from('x'), retryCount: 0 }), true);
});

test('what the upstream has refused is sent again whatever its method, and once (RFC 9113 §8.7)', () => {
  for (const method of ['GET', 'POST', 'LOCK']) {
    assert.equal(mayRetry(refused, { method, body: Buffer.from('x'), retryCount: 0 }), true, method);
    assert.equal(mayRetry(refused, { method, body: null, retryCount: 1 }), false, method);
  }
  const body = arrivingBody();
  body.consume({ write: () => true, end() {}, fail() {} });
  assert.equal(mayRetry(refused, { method: 'POST', body, retryCount: 0 }), false);
});

test('no other failure is tried again', () => {
  for (const code of Object.keys(FAULTS) as FaultCode[]) {
    const retried = mayRetry(new Failure(code), { method: 'GET', body: null, retryCount: 0 });
    assert.equal(retried, code === 'upstream-stale' || code === 'upstream-refused', code);
  }
});
