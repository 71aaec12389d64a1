import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Handler, stack } from '../../../src/core/handler.ts';
import type { HttpRequest } from '../../../src/core/request.ts';
import { concurrencyLimit } from '../../../src/web/layers/concurrency-limit.ts';
import { requestClass } from '../../../src/web/layers/request-class.ts';
import { classReader } from '../../../src/web/layers/shed-class.ts';
import { makeRequest } from '../../support/request.ts';

const TRUSTING = { class: 'high', classHeader: 'x-class', trustedProxies: ['192.0.2.1'] } as const;
const CLAIM = { peer: { address: '192.0.2.1' }, headers: { 'x-class': 'normal' } };

/** The request as it comes to what is inside the layer. */
function passed(options: Parameters<typeof requestClass>[0], parts = {}): HttpRequest {
  const request = makeRequest('GET', '/', parts);
  void requestClass(options)(() => ({ status: 200 }))(request);
  return request;
}

test('a class that a route has given goes before that of the limit, and what a trusted proxy says before both', () => {
  const classOf = classReader(TRUSTING);
  assert.equal(classOf(makeRequest('GET', '/')), 'high');
  assert.equal(classOf(passed({ class: 'low' })), 'low');
  assert.equal(classOf(passed({ class: 'low' }, CLAIM)), 'normal');
});

test('what a route keeps from being refused is refused by no limit, whatever fields say', async () => {
  assert.equal(classReader(TRUSTING)(passed({ class: null }, CLAIM)), null);
  const full = concurrencyLimit({ requestMaxCount: 1, queueMaxCount: null });
  const never = (): Promise<never> => new Promise(() => undefined);
  void full(never)(makeRequest('GET', '/'));
  const handler: Handler = () => ({ status: 200 });
  assert.equal((await full(handler)(makeRequest('GET', '/'))).status, 503);
  assert.equal((await stack(requestClass(), full)(handler)(makeRequest('GET', '/'))).status, 200);
});

test('wrong options are named', () => {
  const wrong = (options: object) => () => requestClass(options);
  assert.throws(wrong({ class: 'middle' }), /requestClass: class: "middle" is not one of low, normal, high/);
  assert.throws(wrong({ clas: 'low' }), /clas: no such option, did you mean class\?/);
});
